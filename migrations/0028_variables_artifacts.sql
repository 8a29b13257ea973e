-- Variables and artifacts: read models of what commands did.
-- Runs beside the previous release, which does not look at them. To undo by hand: drop the tables named here, delete from
-- projection where name in ('variable', 'artifact'), and delete this file's row from `migration`.

create table variable (
  id       uuid        not null primary key, -- made of the name that it was created with
  version  int8        not null,
  created  timestamptz not null,
  updated  timestamptz not null,
  name     text        not null, -- may be changed, so it is unique by command and not by constraint
  value    json,
  tags     text[]      not null
);
create index variable_by_name on variable (name, id);
create index variable_tags on variable using gin (tags);

create table artifact (
  id           uuid        not null primary key,
  version      int8        not null,
  created      timestamptz not null,
  updated      timestamptz not null,
  key          text,
  type         text,
  description  text,
  data         json,
  metadata_    json,
  flow_run_id  uuid,
  task_run_id  uuid
);
create index artifact_latest on artifact (key, created desc, id desc) where key is not null;
create index artifact_by_created on artifact (created, id);
create index artifact_by_updated on artifact (updated, id);
create index artifact_of_flow_run on artifact (flow_run_id) where flow_run_id is not null;
create index artifact_of_task_run on artifact (task_run_id) where task_run_id is not null;
