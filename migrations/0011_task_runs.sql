-- Task runs and the states these went through: read models of the events that clients and servers send of them.
-- Runs beside the previous release, which does not look at them. To undo by hand: drop the tables named here, delete from
-- projection where name in ('task-run', 'task-run-state'), and delete this file's row from `migration`.

create table task_run (
  id                         uuid        not null primary key,
  created                    timestamptz not null, -- when its first event occurred
  updated                    timestamptz not null, -- when its last event occurred
  name                       text        not null,
  flow_run_id                uuid,
  task_key                   text        not null,
  dynamic_key                text        not null,
  cache_key                  text,
  cache_expiration           timestamptz,
  task_version               text,
  empirical_policy           json        not null,
  tags                       text[]      not null,
  labels                     json        not null,
  task_inputs                json        not null,
  state                      json        not null, -- whole; the four after it are parts of it
  state_id                   uuid        not null,
  state_type                 text        not null,
  state_name                 text        not null,
  state_timestamp            timestamptz not null,
  run_count                  int4        not null,
  flow_run_run_count         int4        not null,
  expected_start_time        timestamptz,
  next_scheduled_start_time  timestamptz,
  start_time                 timestamptz,
  end_time                   timestamptz,
  total_run_time             float8      not null  -- seconds
) with (fillfactor = 70); -- a run is rewritten with each of its states, and mostly stays in its page

-- What a state changes (its type and name, the start) has no index of a kind that would make each change write to all of
-- them: BRIN serves ranges of times, since rows lie in the order of time.
create unique index task_run_by_natural_key on task_run (flow_run_id, task_key, dynamic_key);
create index task_run_by_expected_start on task_run (expected_start_time, id);
create index task_run_by_end on task_run (end_time, id) where end_time is not null;
create index task_run_by_due on task_run (next_scheduled_start_time, id) where next_scheduled_start_time is not null;
create index task_run_by_name on task_run (name, id);
create index task_run_start on task_run using brin (start_time);

create table task_run_state (
  id             uuid        not null primary key,
  task_run_id    uuid        not null,
  type           text        not null,
  name           text        not null,
  timestamp      timestamptz not null,
  message        text,
  data           json,
  state_details  json        not null
);
create index task_run_state_of_run on task_run_state (task_run_id, timestamp);
