-- Events that wait behind a dead letter of their resource are letters too: which ones, so that they go on by themselves once
-- what they wait for is replayed or discarded.
-- Runs beside the previous release, whose waiting letters are to be replayed by hand as before. To undo by hand: alter table
-- dead_letter drop column waits; and delete this file's row from `migration`.

alter table dead_letter add column waits bool not null default false;
