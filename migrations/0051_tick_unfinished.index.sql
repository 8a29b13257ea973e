-- Ticks without an outcome by their job: whoever arranges those of one job finds them beside a backfill of 100,000 others.
-- Runs beside the previous release, which does not look at it. To undo by hand: drop index tick_unfinished; and delete this
-- file's row from `migration`.

create index tick_unfinished on tick (job, scheduled_for) where state in ('open', 'running');
