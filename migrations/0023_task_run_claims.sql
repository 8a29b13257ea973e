-- Which task runs that wait for a worker were handed to one: so that of many servers one hands it out, once.
-- Runs beside the previous release, which does not look at it. To undo by hand: drop the table named here, and delete this
-- file's row from `migration`.

create table task_run_claim (
  task_run_id  uuid        not null primary key,
  until        timestamptz not null  -- when it may be handed out again, unless it has begun
);
