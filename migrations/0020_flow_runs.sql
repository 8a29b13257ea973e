-- Flows, their runs and the states these went through: read models of what commands did, for the API of Prefect's clients.
-- Runs beside the previous release, which does not look at them. To undo by hand: drop the tables named here, delete from
-- projection where name in ('flow', 'flow-run', 'flow-run-state'), and delete this file's row from `migration`.

create table flow (
  id       uuid        not null primary key,
  version  int8        not null, -- events that commands made for it; so in all tables of commands
  created  timestamptz not null,
  updated  timestamptz not null,
  name     text        not null unique,
  tags     text[]      not null,
  labels   json        not null
);
create index flow_by_created on flow (created, id);
create index flow_by_updated on flow (updated, id);
create index flow_tags on flow using gin (tags);

create table flow_run (
  id                          uuid        not null primary key,
  version                     int8        not null,
  created                     timestamptz not null,
  updated                     timestamptz not null,
  name                        text        not null,
  flow_id                     uuid        not null,
  flow_name                   text        not null, -- as it was when the run was made; flows keep their names
  deployment_id               uuid,
  deployment_version          text,
  work_queue_id               uuid,
  work_queue_name             text,
  work_pool_id                uuid,
  work_pool_name              text,
  flow_version                text,
  parameters                  json        not null,
  idempotency_key             text,                 -- the id is made of it and the flow's, so it needs no constraint
  context                     json        not null,
  empirical_policy            json        not null,
  tags                        text[]      not null,
  labels                      json        not null,
  parent_task_run_id          uuid,
  state                       json        not null, -- whole; the four after it are parts of it
  state_id                    uuid        not null,
  state_type                  text        not null,
  state_name                  text        not null,
  state_timestamp             timestamptz not null,
  run_count                   int4        not null,
  expected_start_time         timestamptz,
  next_scheduled_start_time   timestamptz,
  start_time                  timestamptz,
  end_time                    timestamptz,
  total_run_time              float8      not null, -- seconds
  auto_scheduled              boolean     not null,
  infrastructure_document_id  uuid,
  infrastructure_pid          text,
  created_by                  json,
  job_variables               json
) with (fillfactor = 80); -- a run is rewritten with each of its states

-- For each filter and each order that the API has; those of few runs are partial.
create index flow_run_by_expected_start on flow_run (expected_start_time, id);
create index flow_run_by_start on flow_run (start_time);
create index flow_run_by_any_start on flow_run (coalesce(start_time, expected_start_time), id);
create index flow_run_by_end on flow_run (end_time, id) where end_time is not null;
create index flow_run_by_due on flow_run (next_scheduled_start_time, id) where next_scheduled_start_time is not null;
create index flow_run_by_state on flow_run (state_type, expected_start_time);
create index flow_run_by_state_name on flow_run (state_name, expected_start_time);
create index flow_run_by_name on flow_run (name, id);
create index flow_run_of_flow on flow_run (flow_id, expected_start_time);
create index flow_run_of_deployment on flow_run (deployment_id, expected_start_time) where deployment_id is not null;
create index flow_run_of_task_run on flow_run (parent_task_run_id) where parent_task_run_id is not null;
create index flow_run_of_work_queue on flow_run (work_queue_id, next_scheduled_start_time) where work_queue_id is not null;
create index flow_run_by_idempotency_key on flow_run (idempotency_key) where idempotency_key is not null;
create index flow_run_tags on flow_run using gin (tags);

create table flow_run_state (
  id             uuid        not null primary key,
  flow_run_id    uuid        not null,
  type           text        not null,
  name           text        not null,
  timestamp      timestamptz not null,
  message        text,
  data           json,
  state_details  json        not null
);
create index flow_run_state_of_run on flow_run_state (flow_run_id, timestamp);
