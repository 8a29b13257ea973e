-- Jobs, what their schedules were at each time, and the ledger: one row for each tick, which says what became of it.
-- Runs beside the previous release, whose processes go on by their own clocks. To undo by hand: drop the tables named here.

create table job (
  name       text        not null primary key,
  version    int8        not null, -- the row of job_version that holds now
  watermark  timestamptz not null  -- every tick at or before it is decided; only grows
);

-- The history of a job, never changed: an instant belongs to the last version that was valid before it.
create table job_version (
  job         text        not null,
  version     int8        not null,
  cause       text        not null, -- defined, changed, paused, resumed, removed
  state       text        not null, -- active, paused, removed
  spec        json        not null, -- cron, interval or recurrence; scheduler/spec.ts
  policy      json        not null, -- scheduler/policy.ts
  hash        text        not null, -- of both; tells one definition from another
  actor       text        not null, -- the process or the person that made it
  tz_version  text        not null,
  valid_from  timestamptz not null,
  primary key (job, version)
);

-- Who may write a row is the holder of its fence; who takes a row raises it.
create table tick (
  job            text        not null,
  scheduled_for  timestamptz not null, -- whole milliseconds
  origin         text        not null default 'schedule', -- or manual:<uuid>, backfill:<uuid>, which replace no scheduled tick
  version        int8        not null, -- of the job, as it was taken
  state          text        not null, -- open: to be run; running; final are done, skipped and failed
  reason         text,
  exclusive      boolean     not null default false, -- no other tick of its job runs beside it
  fence          int8        not null default 0,
  attempts       int4        not null default 0,
  owner          text,
  lease_until    timestamptz,          -- running: free for others then; open: not before; null once final
  opened_at      timestamptz not null default clock_timestamp(),
  started_at     timestamptz,
  decided_at     timestamptz,
  result         json,                 -- what the run says it did
  primary key (job, scheduled_for, origin)
);

create unique index tick_alone on tick (job) where state = 'running' and exclusive;
create index tick_open on tick (lease_until) where state in ('open', 'running');

-- The processes that run jobs, and which definitions they have: a definition that somebody still runs is not replaced by
-- one that was there before it.
create table service_process (
  id          text        not null primary key,
  host        text        not null,
  pid         int4        not null,
  release     text        not null,
  jobs        json        not null, -- hash by name
  started_at  timestamptz not null default clock_timestamp(),
  seen_at     timestamptz not null default clock_timestamp()
);

-- When the auditor last looked, so that of many processes one does.
create table tick_audit (
  id          boolean     not null primary key default true check (id),
  audited_at  timestamptz not null
);
insert into tick_audit (audited_at) values ('epoch');
