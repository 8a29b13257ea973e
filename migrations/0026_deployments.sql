-- Deployments with their schedules, work pools, their queues and workers: read models of what commands did.
-- Runs beside the previous release, which does not look at them. To undo by hand: drop the tables named here, delete from
-- projection where name in ('deployment', 'work-pool', 'work-queue', 'worker'), and delete this file's row from `migration`.

create table deployment (
  id                          uuid        not null primary key, -- made of its flow and name: there is one of each
  version                     int8        not null,
  created                     timestamptz not null,
  updated                     timestamptz not null,
  name                        text        not null,
  deployment_version          text,
  description                 text,
  flow_id                     uuid        not null,
  flow_name                   text        not null, -- flows keep their names
  paused                      boolean     not null,
  schedules                   json        not null, -- part of it, so that one event changes both
  has_schedule                boolean     not null, -- some schedule is active
  concurrency_limit_id        uuid,
  concurrency_options         json,
  job_variables               json        not null,
  parameters                  json        not null,
  tags                        text[]      not null,
  labels                      json        not null,
  work_queue_id               uuid,
  work_queue_name             text,
  work_pool_id                uuid,
  work_pool_name              text,
  last_polled                 timestamptz,
  status                      text        not null,
  parameter_openapi_schema    json,
  enforce_parameter_schema    boolean     not null,
  path                        text,
  entrypoint                  text,
  pull_steps                  json,
  storage_document_id         uuid,
  infrastructure_document_id  uuid,
  created_by                  json,
  updated_by                  json
) with (fillfactor = 80); -- rewritten while it is polled
create index deployment_by_name on deployment (name, id);
create index deployment_by_created on deployment (created, id);
create index deployment_by_updated on deployment (updated, id);
create index deployment_of_flow on deployment (flow_id, name);
create index deployment_by_flow_name on deployment (flow_name, name);
create index deployment_of_work_queue on deployment (work_queue_id) where work_queue_id is not null;
create index deployment_tags on deployment using gin (tags);
create index deployment_scheduled on deployment (id) where has_schedule and not paused;
create index deployment_ready on deployment (last_polled) where status = 'READY';

create table work_pool (
  id                     uuid        not null primary key, -- made of its name, which stays
  version                int8        not null,
  created                timestamptz not null,
  updated                timestamptz not null,
  name                   text        not null unique,
  description            text,
  type                   text        not null,
  base_job_template      json        not null,
  is_paused              boolean     not null,
  concurrency_limit      int4,
  status                 text        not null,
  default_queue_id       uuid,
  storage_configuration  json        not null
);

create table work_queue (
  id                 uuid        not null primary key,
  version            int8        not null,
  created            timestamptz not null,
  updated            timestamptz not null,
  name               text        not null, -- may be changed, so it is unique by command and not by constraint
  description        text        not null,
  is_paused          boolean     not null,
  concurrency_limit  int4,
  priority           int4        not null,
  work_pool_id       uuid        not null,
  work_pool_name     text        not null,
  filter             json,
  last_polled        timestamptz,
  status             text        not null
) with (fillfactor = 80);
create index work_queue_of_pool on work_queue (work_pool_id, priority);
create index work_queue_by_name on work_queue (name, id);
create index work_queue_ready on work_queue (last_polled) where status = 'READY';

create table worker (
  id                          uuid        not null primary key, -- made of its pool and name
  version                     int8        not null,
  created                     timestamptz not null,
  updated                     timestamptz not null,
  name                        text        not null,
  work_pool_id                uuid        not null,
  work_pool_name              text        not null,
  last_heartbeat_time         timestamptz,
  heartbeat_interval_seconds  int4,
  status                      text        not null
) with (fillfactor = 80);
create index worker_of_pool on worker (work_pool_id, last_heartbeat_time);
create index worker_online on worker (last_heartbeat_time) where status = 'ONLINE';
