-- Task runs of no flow run by when they ended: retention looks for them, and most task runs have a flow run. Which rows it
-- has never depends on a state, so states of task runs cost no more than before.
-- Runs beside the previous release, which does not look at it. To undo by hand: drop index task_run_alone_by_end; and
-- delete this file's row from `migration`.

create index task_run_alone_by_end on task_run (end_time, id) where flow_run_id is null and end_time is not null;
