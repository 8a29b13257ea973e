-- Days of the log that left it, so that an interrupted removal is finished and everybody can see what went and when.
-- Runs beside the previous release, which removes nothing. To undo by hand: drop the tables named here, after those named
-- event_YYYYMMDD_gone_N that rows in the state `detached` speak of.

create table pruned_day (
  day          date        not null,
  generation   int4        not null, -- a day may leave in parts: first what is kept least long, last what is kept longest
  state        text        not null, -- detached: the rows are in event_YYYYMMDD_gone_N and in no query; dropped: gone
  event_count  int8        not null, -- estimated by Postgres' statistics; exact once archived
  bytes        int8        not null, -- of the table with its indexes
  oldest       timestamptz,
  newest       timestamptz,
  detached_at  timestamptz not null default now(),
  dropped_at   timestamptz,
  archive      text,                 -- where the archive's manifest is; null when it was not archived
  primary key (day, generation)
);

create index pruned_day_unfinished on pruned_day (day, generation) where state <> 'dropped';

-- Days that retention leaves alone for a while, such as those brought back from the archive.
create table held_day (
  day         date        not null primary key,
  held_until  timestamptz not null,
  reason      text        not null
);
