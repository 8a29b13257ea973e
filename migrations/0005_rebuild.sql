-- Rebuilding projections: what is under way and how far it is, what it made, and which tables are behind the recorder.
-- The previous release runs beside it: it doesn't look at these tables, and the new columns have defaults. To undo by hand:
-- drop the tables named here and those whose names end in __new or __old, and the columns that `projection` gets here.

alter table projection
  add column rebuild     int8,        -- the rebuild that works on it; no other may
  add column rebuilt_at  timestamptz,
  add column held        boolean not null default false; -- rolled back: a version of the code that differs is no reason to rebuild

create table rebuild (
  id           int8        not null generated always as identity primary key,
  names        text[]      not null, -- projections made anew together
  versions     int4[]      not null, -- of the code that makes them
  state        text        not null, -- requested, running, done, cancelled, failed
  reason       text        not null, -- who wanted it: asked, version, partial
  since        timestamptz,          -- rows that began before are carried over as they are
  strict       boolean     not null, -- refuses to carry rows over
  whole        boolean     not null default false, -- all partitions in one piece, since rows have events in several
  start        json,                             -- by partition [ms, seq]: where the recorder was when it began
  letters      uuid[]      not null default '{}', -- dead letters whose events were left out
  owner        text        not null default '',
  epoch        int8        not null default 0, -- raised by each process that takes it; of another one nothing is written
  lease_until  timestamptz not null default now(),
  step         text        not null default '',
  events_done  int8        not null default 0,
  events_total int8        not null default 0,
  row_count    int8        not null default 0,
  carried      int8        not null default 0, -- rows that were carried over
  failed       int8        not null default 0, -- events that became dead letters
  error        text,
  started_at   timestamptz not null default now(),
  changed_at   timestamptz not null default now(),
  ended_at     timestamptz
);

-- A partition, or all of them as number -1, folded up to a position and written to the new tables; all or nothing of it.
create table rebuild_unit (
  rebuild      int8        not null,
  partition    int2        not null,
  through      json        not null, -- by partition: [ms, seq]
  events       int8        not null,
  row_count    int8        not null,
  keys         bytea       not null, -- hashes of the keys that it touched: another unit must touch none of them
  primary key (rebuild, partition)
);

-- A projection's table that stands at another place than the recorder's checkpoint: it is left alone until it caught up.
create table projection_behind (
  projection   text        not null,
  partition    int2        not null,
  entry_ms     int8        not null,
  entry_seq    int8        not null,
  primary key (projection, partition)
);

-- The table that a rebuild replaced, kept until somebody says that it may go.
create table projection_kept (
  projection   text        not null primary key,
  kept_table   text        not null,
  version      int4        not null,
  positions    json        not null, -- by partition: [ms, seq], where it stands
  swapped_at   timestamptz not null default now()
);
