-- The names that stayed in the log when a day left it: the detached table still has them, and the archive leaves them out.
-- Runs beside the previous release. To undo by hand: alter table pruned_day drop column kept.

alter table pruned_day add column kept text[] not null default '{}';
