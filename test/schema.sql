-- What all migrations together make, written by `npm run schema`: so each migration shows its effect. Tables by name,
-- then indexes, views, functions and triggers. For people and for a test; nothing is made from it.

create table artifact (
  id uuid not null,
  version bigint not null,
  created timestamp with time zone not null,
  updated timestamp with time zone not null,
  key text,
  type text,
  description text,
  data json,
  metadata_ json,
  flow_run_id uuid,
  task_run_id uuid,
  PRIMARY KEY (id)
);

create table checkpoint (
  "group" text not null,
  partition smallint not null,
  entry_ms bigint not null default 0,
  entry_seq bigint not null default 0,
  event_count bigint not null default 0,
  owner_epoch bigint not null default 0,
  moved_at timestamp with time zone not null default now(),
  PRIMARY KEY ("group", partition)
);

create table concurrency_limit (
  id uuid not null,
  version bigint not null,
  created timestamp with time zone not null,
  updated timestamp with time zone not null,
  name text not null,
  active boolean not null,
  slot_limit integer not null,
  slot_decay_per_second double precision not null,
  avg_slot_occupancy_seconds double precision not null,
  denied_slots integer not null,
  taken_slots double precision not null,
  taken_at timestamp with time zone not null,
  leases json not null,
  lease_ids text[] not null,
  next_end timestamp with time zone,
  PRIMARY KEY (id)
) with (fillfactor=70);

create table dead_letter (
  id uuid not null,
  "group" text not null,
  partition smallint not null,
  entry_ms bigint not null,
  entry_seq bigint not null,
  entry_index integer not null,
  reason text not null,
  attempts integer not null default 1,
  body bytea not null,
  first_seen timestamp with time zone not null default now(),
  last_seen timestamp with time zone not null default now(),
  ordering_key text not null default ''::text,
  requested_at timestamp with time zone,
  home smallint,
  waits boolean not null default false,
  PRIMARY KEY (id),
  UNIQUE ("group", partition, entry_ms, entry_seq, entry_index)
);

create table deployment (
  id uuid not null,
  version bigint not null,
  created timestamp with time zone not null,
  updated timestamp with time zone not null,
  name text not null,
  deployment_version text,
  description text,
  flow_id uuid not null,
  flow_name text not null,
  paused boolean not null,
  schedules json not null,
  has_schedule boolean not null,
  concurrency_limit_id uuid,
  concurrency_options json,
  job_variables json not null,
  parameters json not null,
  tags text[] not null,
  labels json not null,
  work_queue_id uuid,
  work_queue_name text,
  work_pool_id uuid,
  work_pool_name text,
  last_polled timestamp with time zone,
  status text not null,
  parameter_openapi_schema json,
  enforce_parameter_schema boolean not null,
  path text,
  entrypoint text,
  pull_steps json,
  storage_document_id uuid,
  infrastructure_document_id uuid,
  created_by json,
  updated_by json,
  PRIMARY KEY (id)
) with (fillfactor=80);

create table event (
  occurred timestamp with time zone not null,
  id uuid not null,
  event text collate "C" not null,
  resource_id text collate "C" not null,
  terms integer[] not null,
  received timestamp with time zone not null,
  partition smallint not null,
  entry_ms bigint not null,
  entry_seq bigint not null,
  entry_index integer not null,
  follows uuid,
  resource json not null,
  related json not null,
  payload json not null,
  PRIMARY KEY (occurred, id)
) partition by RANGE (occurred);

create table event_default partition of event DEFAULT;

create table fixed_setting (
  name text not null,
  value text not null,
  PRIMARY KEY (name)
);

create table flow (
  id uuid not null,
  version bigint not null,
  created timestamp with time zone not null,
  updated timestamp with time zone not null,
  name text not null,
  tags text[] not null,
  labels json not null,
  PRIMARY KEY (id),
  UNIQUE (name)
);

create table flow_run (
  id uuid not null,
  version bigint not null,
  created timestamp with time zone not null,
  updated timestamp with time zone not null,
  name text not null,
  flow_id uuid not null,
  flow_name text not null,
  deployment_id uuid,
  deployment_version text,
  work_queue_id uuid,
  work_queue_name text,
  work_pool_id uuid,
  work_pool_name text,
  flow_version text,
  parameters json not null,
  idempotency_key text,
  context json not null,
  empirical_policy json not null,
  tags text[] not null,
  labels json not null,
  parent_task_run_id uuid,
  state json not null,
  state_id uuid not null,
  state_type text not null,
  state_name text not null,
  state_timestamp timestamp with time zone not null,
  run_count integer not null,
  expected_start_time timestamp with time zone,
  next_scheduled_start_time timestamp with time zone,
  start_time timestamp with time zone,
  end_time timestamp with time zone,
  total_run_time double precision not null,
  auto_scheduled boolean not null,
  infrastructure_document_id uuid,
  infrastructure_pid text,
  created_by json,
  job_variables json,
  PRIMARY KEY (id)
) with (fillfactor=80);

create table flow_run_input (
  id uuid not null,
  version bigint not null,
  created timestamp with time zone not null,
  updated timestamp with time zone not null,
  flow_run_id uuid not null,
  key text not null,
  value text not null,
  sender text,
  PRIMARY KEY (id)
);

create table flow_run_state (
  id uuid not null,
  flow_run_id uuid not null,
  type text not null,
  name text not null,
  "timestamp" timestamp with time zone not null,
  message text,
  data json,
  state_details json not null,
  PRIMARY KEY (id)
);

create table followed_up (
  name text not null,
  occurred timestamp with time zone not null,
  id uuid not null,
  PRIMARY KEY (name)
);

create table held_day (
  day date not null,
  held_until timestamp with time zone not null,
  reason text not null,
  PRIMARY KEY (day)
);

create table job (
  name text not null,
  version bigint not null,
  watermark timestamp with time zone not null,
  PRIMARY KEY (name)
);

create table job_version (
  job text not null,
  version bigint not null,
  cause text not null,
  state text not null,
  spec json not null,
  policy json not null,
  hash text not null,
  actor text not null,
  tz_version text not null,
  valid_from timestamp with time zone not null,
  PRIMARY KEY (job, version)
);

create table lease_without_limit (
  id uuid not null,
  version bigint not null,
  created timestamp with time zone not null,
  updated timestamp with time zone not null,
  lasts_until timestamp with time zone not null,
  PRIMARY KEY (id)
);

create table log (
  id uuid not null,
  created timestamp with time zone not null,
  updated timestamp with time zone not null,
  name text not null,
  level integer not null,
  message text not null,
  "timestamp" timestamp with time zone not null,
  flow_run_id uuid,
  task_run_id uuid,
  PRIMARY KEY (id)
);

create table loss (
  id bigint not null generated always as identity,
  "group" text not null,
  partition smallint not null,
  first_ms bigint not null,
  first_seq bigint not null,
  last_ms bigint not null,
  last_seq bigint not null,
  entries bigint,
  events bigint,
  cause text not null,
  detail text not null default ''::text,
  detected_at timestamp with time zone not null default now(),
  settled boolean not null default false,
  PRIMARY KEY (id),
  UNIQUE ("group", partition, first_ms, first_seq, last_ms, last_seq)
);

create table migration (
  name text not null,
  applied_at timestamp with time zone not null default now(),
  checksum text,
  PRIMARY KEY (name)
);

create table projection (
  name text not null,
  version integer not null,
  state text not null,
  created_at timestamp with time zone not null default now(),
  rebuild bigint,
  rebuilt_at timestamp with time zone,
  held boolean not null default false,
  PRIMARY KEY (name)
);

create table projection_behind (
  projection text not null,
  partition smallint not null,
  entry_ms bigint not null,
  entry_seq bigint not null,
  PRIMARY KEY (projection, partition)
);

create table projection_kept (
  projection text not null,
  kept_table text not null,
  version integer not null,
  positions json not null,
  swapped_at timestamp with time zone not null default now(),
  PRIMARY KEY (projection)
);

create table pruned_day (
  day date not null,
  generation integer not null,
  state text not null,
  event_count bigint not null,
  bytes bigint not null,
  oldest timestamp with time zone,
  newest timestamp with time zone,
  detached_at timestamp with time zone not null default now(),
  dropped_at timestamp with time zone,
  archive text,
  kept text[] not null default '{}'::text[],
  PRIMARY KEY (day, generation)
);

create table pruned_name (
  event text collate "C" not null,
  up_to timestamp with time zone not null,
  PRIMARY KEY (event)
);

create table rebuild (
  id bigint not null generated always as identity,
  names text[] not null,
  versions integer[] not null,
  state text not null,
  reason text not null,
  since timestamp with time zone,
  strict boolean not null,
  whole boolean not null default false,
  start json,
  letters uuid[] not null default '{}'::uuid[],
  owner text not null default ''::text,
  epoch bigint not null default 0,
  lease_until timestamp with time zone not null default now(),
  step text not null default ''::text,
  events_done bigint not null default 0,
  events_total bigint not null default 0,
  row_count bigint not null default 0,
  carried bigint not null default 0,
  failed bigint not null default 0,
  error text,
  started_at timestamp with time zone not null default now(),
  changed_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
  carried_before timestamp with time zone,
  corrected bigint not null default 0,
  PRIMARY KEY (id)
);

create table rebuild_unit (
  rebuild bigint not null,
  partition smallint not null,
  through json not null,
  events bigint not null,
  row_count bigint not null,
  keys bytea not null,
  PRIMARY KEY (rebuild, partition)
);

create table resource_activity (
  resource_id text collate "C" not null,
  first_seen timestamp with time zone not null,
  last_seen timestamp with time zone not null,
  event_count bigint not null,
  counts json not null,
  PRIMARY KEY (resource_id)
);

create table service_process (
  id text not null,
  host text not null,
  pid integer not null,
  release text not null,
  jobs json not null,
  started_at timestamp with time zone not null default clock_timestamp(),
  seen_at timestamp with time zone not null default clock_timestamp(),
  PRIMARY KEY (id)
);

create table suspect (
  "group" text not null,
  partition smallint not null,
  entry_ms bigint not null,
  entry_seq bigint not null,
  entry_index integer not null,
  attempts integer not null default 1,
  PRIMARY KEY ("group", partition, entry_ms, entry_seq, entry_index)
);

create table task_run (
  id uuid not null,
  created timestamp with time zone not null,
  updated timestamp with time zone not null,
  name text not null,
  flow_run_id uuid,
  task_key text not null,
  dynamic_key text not null,
  cache_key text,
  cache_expiration timestamp with time zone,
  task_version text,
  empirical_policy json not null,
  tags text[] not null,
  labels json not null,
  task_inputs json not null,
  state json not null,
  state_id uuid not null,
  state_type text not null,
  state_name text not null,
  state_timestamp timestamp with time zone not null,
  run_count integer not null,
  flow_run_run_count integer not null,
  expected_start_time timestamp with time zone,
  next_scheduled_start_time timestamp with time zone,
  start_time timestamp with time zone,
  end_time timestamp with time zone,
  total_run_time double precision not null,
  PRIMARY KEY (id)
) with (fillfactor=70);

create table task_run_claim (
  task_run_id uuid not null,
  until timestamp with time zone not null,
  PRIMARY KEY (task_run_id)
);

create table task_run_state (
  id uuid not null,
  task_run_id uuid not null,
  type text not null,
  name text not null,
  "timestamp" timestamp with time zone not null,
  message text,
  data json,
  state_details json not null,
  PRIMARY KEY (id)
);

create table tick (
  job text not null,
  scheduled_for timestamp with time zone not null,
  origin text not null default 'schedule'::text,
  version bigint not null,
  state text not null,
  reason text,
  exclusive boolean not null default false,
  fence bigint not null default 0,
  attempts integer not null default 0,
  owner text,
  lease_until timestamp with time zone,
  opened_at timestamp with time zone not null default clock_timestamp(),
  started_at timestamp with time zone,
  decided_at timestamp with time zone,
  result json,
  PRIMARY KEY (job, scheduled_for, origin)
);

create table tick_audit (
  id boolean not null default true,
  audited_at timestamp with time zone not null,
  PRIMARY KEY (id),
  constraint tick_audit_id_check CHECK (id)
);

create table variable (
  id uuid not null,
  version bigint not null,
  created timestamp with time zone not null,
  updated timestamp with time zone not null,
  name text not null,
  value json,
  tags text[] not null,
  PRIMARY KEY (id)
);

create table work_pool (
  id uuid not null,
  version bigint not null,
  created timestamp with time zone not null,
  updated timestamp with time zone not null,
  name text not null,
  description text,
  type text not null,
  base_job_template json not null,
  is_paused boolean not null,
  concurrency_limit integer,
  status text not null,
  default_queue_id uuid,
  storage_configuration json not null,
  PRIMARY KEY (id),
  UNIQUE (name)
);

create table work_queue (
  id uuid not null,
  version bigint not null,
  created timestamp with time zone not null,
  updated timestamp with time zone not null,
  name text not null,
  description text not null,
  is_paused boolean not null,
  concurrency_limit integer,
  priority integer not null,
  work_pool_id uuid not null,
  work_pool_name text not null,
  filter json,
  last_polled timestamp with time zone,
  status text not null,
  PRIMARY KEY (id)
) with (fillfactor=80);

create table worker (
  id uuid not null,
  version bigint not null,
  created timestamp with time zone not null,
  updated timestamp with time zone not null,
  name text not null,
  work_pool_id uuid not null,
  work_pool_name text not null,
  last_heartbeat_time timestamp with time zone,
  heartbeat_interval_seconds integer,
  status text not null,
  PRIMARY KEY (id)
) with (fillfactor=80);

CREATE INDEX artifact_by_created ON artifact USING btree (created, id);
CREATE INDEX artifact_by_updated ON artifact USING btree (updated, id);
CREATE INDEX artifact_latest ON artifact USING btree (key, created DESC, id DESC) WHERE key IS NOT NULL;
CREATE INDEX artifact_of_flow_run ON artifact USING btree (flow_run_id) WHERE flow_run_id IS NOT NULL;
CREATE INDEX artifact_of_task_run ON artifact USING btree (task_run_id) WHERE task_run_id IS NOT NULL;
CREATE INDEX concurrency_limit_by_end ON concurrency_limit USING btree (next_end) WHERE next_end IS NOT NULL;
CREATE INDEX concurrency_limit_by_name ON concurrency_limit USING btree (name, id);
CREATE INDEX concurrency_limit_leases ON concurrency_limit USING gin (lease_ids);
CREATE INDEX dead_letter_by_time ON dead_letter USING btree (last_seen DESC, id DESC);
CREATE INDEX dead_letter_of_key ON dead_letter USING btree ("group", ordering_key, entry_ms, entry_seq, entry_index);
CREATE INDEX dead_letter_requested ON dead_letter USING btree ("group", partition) WHERE requested_at IS NOT NULL;
CREATE INDEX deployment_by_created ON deployment USING btree (created, id);
CREATE INDEX deployment_by_flow_name ON deployment USING btree (flow_name, name);
CREATE INDEX deployment_by_name ON deployment USING btree (name, id);
CREATE INDEX deployment_by_updated ON deployment USING btree (updated, id);
CREATE INDEX deployment_of_flow ON deployment USING btree (flow_id, name);
CREATE INDEX deployment_of_work_queue ON deployment USING btree (work_queue_id) WHERE work_queue_id IS NOT NULL;
CREATE INDEX deployment_ready ON deployment USING btree (last_polled) WHERE status = 'READY'::text;
CREATE INDEX deployment_scheduled ON deployment USING btree (id) WHERE has_schedule AND NOT paused;
CREATE INDEX deployment_tags ON deployment USING gin (tags);
CREATE INDEX event_by_id ON ONLY event USING btree (id);
CREATE INDEX event_by_name ON ONLY event USING btree (event, occurred, id);
CREATE INDEX event_by_resource ON ONLY event USING btree (resource_id, occurred, id);
CREATE INDEX event_by_term ON ONLY event USING gin (terms);
CREATE INDEX event_position ON ONLY event USING btree (partition, entry_ms, entry_seq, entry_index);
CREATE INDEX flow_by_created ON flow USING btree (created, id);
CREATE INDEX flow_by_updated ON flow USING btree (updated, id);
CREATE INDEX flow_tags ON flow USING gin (tags);
CREATE INDEX flow_run_by_any_start ON flow_run USING btree (COALESCE(start_time, expected_start_time), id);
CREATE INDEX flow_run_by_due ON flow_run USING btree (next_scheduled_start_time, id) WHERE next_scheduled_start_time IS NOT NULL;
CREATE INDEX flow_run_by_end ON flow_run USING btree (end_time, id) WHERE end_time IS NOT NULL;
CREATE INDEX flow_run_by_expected_start ON flow_run USING btree (expected_start_time, id);
CREATE INDEX flow_run_by_idempotency_key ON flow_run USING btree (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX flow_run_by_name ON flow_run USING btree (name, id);
CREATE INDEX flow_run_by_start ON flow_run USING btree (start_time);
CREATE INDEX flow_run_by_state ON flow_run USING btree (state_type, expected_start_time);
CREATE INDEX flow_run_by_state_name ON flow_run USING btree (state_name, expected_start_time);
CREATE INDEX flow_run_of_deployment ON flow_run USING btree (deployment_id, expected_start_time) WHERE deployment_id IS NOT NULL;
CREATE INDEX flow_run_of_flow ON flow_run USING btree (flow_id, expected_start_time);
CREATE INDEX flow_run_of_task_run ON flow_run USING btree (parent_task_run_id) WHERE parent_task_run_id IS NOT NULL;
CREATE INDEX flow_run_of_work_queue ON flow_run USING btree (work_queue_id, next_scheduled_start_time) WHERE work_queue_id IS NOT NULL;
CREATE INDEX flow_run_tags ON flow_run USING gin (tags);
CREATE INDEX flow_run_input_of_run ON flow_run_input USING btree (flow_run_id, created);
CREATE INDEX flow_run_state_of_run ON flow_run_state USING btree (flow_run_id, "timestamp");
CREATE INDEX lease_without_limit_by_end ON lease_without_limit USING btree (lasts_until);
CREATE INDEX log_by_timestamp ON log USING btree ("timestamp");
CREATE INDEX log_of_flow_run ON log USING btree (flow_run_id, "timestamp");
CREATE INDEX log_of_task_run ON log USING btree (task_run_id, "timestamp") WHERE task_run_id IS NOT NULL;
CREATE INDEX pruned_day_unfinished ON pruned_day USING btree (day, generation) WHERE state <> 'dropped'::text;
CREATE INDEX task_run_alone_by_end ON task_run USING btree (end_time, id) WHERE flow_run_id IS NULL AND end_time IS NOT NULL;
CREATE INDEX task_run_by_due ON task_run USING btree (next_scheduled_start_time, id) WHERE next_scheduled_start_time IS NOT NULL;
CREATE INDEX task_run_by_end ON task_run USING btree (end_time, id) WHERE end_time IS NOT NULL;
CREATE INDEX task_run_by_expected_start ON task_run USING btree (expected_start_time, id);
CREATE INDEX task_run_by_name ON task_run USING btree (name, id);
CREATE UNIQUE INDEX task_run_by_natural_key ON task_run USING btree (flow_run_id, task_key, dynamic_key);
CREATE INDEX task_run_start ON task_run USING brin (start_time);
CREATE INDEX task_run_state_of_run ON task_run_state USING btree (task_run_id, "timestamp");
CREATE UNIQUE INDEX tick_alone ON tick USING btree (job) WHERE state = 'running'::text AND exclusive;
CREATE INDEX tick_by_time ON tick USING brin (scheduled_for) WITH (pages_per_range='32');
CREATE INDEX tick_open ON tick USING btree (lease_until) WHERE state = ANY (ARRAY['open'::text, 'running'::text]);
CREATE INDEX tick_unfinished ON tick USING btree (job, scheduled_for) WHERE state = ANY (ARRAY['open'::text, 'running'::text]);
CREATE INDEX variable_by_name ON variable USING btree (name, id);
CREATE INDEX variable_tags ON variable USING gin (tags);
CREATE INDEX work_queue_by_name ON work_queue USING btree (name, id);
CREATE INDEX work_queue_of_pool ON work_queue USING btree (work_pool_id, priority);
CREATE INDEX work_queue_ready ON work_queue USING btree (last_polled) WHERE status = 'READY'::text;
CREATE INDEX worker_of_pool ON worker USING btree (work_pool_id, last_heartbeat_time);
CREATE INDEX worker_online ON worker USING btree (last_heartbeat_time) WHERE status = 'ONLINE'::text;
