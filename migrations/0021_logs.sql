-- Lines that runs logged: a read model of the events that carry them, for Prefect's /logs.
-- Runs beside the previous release, which does not look at it. To undo by hand: drop the table named here, delete from
-- projection where name = 'log', and delete this file's row from `migration`.

create table log (
  id           uuid        not null primary key,
  created      timestamptz not null,
  updated      timestamptz not null,
  name         text        not null, -- of the logger
  level        int4        not null,
  message      text        not null,
  timestamp    timestamptz not null,
  flow_run_id  uuid,
  task_run_id  uuid
);

create index log_of_flow_run on log (flow_run_id, timestamp);
create index log_of_task_run on log (task_run_id, timestamp) where task_run_id is not null;
create index log_by_timestamp on log (timestamp);
