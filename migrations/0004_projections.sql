-- Projections: read models that the consumer group `recorder` makes from events, and what is known of each of them.
-- Runs beside the previous release, which does not look at them. To undo by hand: drop the tables named here, and
-- delete from checkpoint and dead_letter where "group" = 'recorder' or "group" like 'projection:%'.

create table projection (
  name        text        not null primary key, -- as its file in projections/ has it
  version     int4        not null,             -- of the code that made the rows of its table
  state       text        not null,             -- live: its rows are all the log's; partial: the log has events from before it
  created_at  timestamptz not null default now()
);

create table resource_activity (
  resource_id  text        not null primary key collate "C",
  first_seen   timestamptz not null,
  last_seen    timestamptz not null,
  event_count  int8        not null,
  counts       json        not null  -- by event name
);
