-- The event log, the consumers' checkpoints and the dead letters.
-- Runs beside the previous release: nothing existed before it. To undo by hand: drop the tables named here.

-- One row per event, in day partitions of `occurred` that retention drops whole.
-- resource, related and payload are `json`, not `jsonb`: the text is kept as received, \u0000 and lone surrogates in a
-- payload do no harm, and COPY is about 3 us a row cheaper. No query may look inside `payload`, only at its text.
create table event (
  occurred     timestamptz not null,
  id           uuid        not null,
  event        text        not null collate "C",
  resource_id  text        not null collate "C",
  terms        int4[]      not null, -- hashes of what filters ask for; src/events/terms.ts says which
  received     timestamptz not null,
  partition    int2        not null, -- the position: where in the streams the event was appended
  entry_ms     int8        not null,
  entry_seq    int8        not null,
  entry_index  int4        not null,
  follows      uuid,
  resource     json        not null,
  related      json        not null,
  payload      json        not null,
  primary key (occurred, id)         -- makes redelivery harmless, serves keyset pages
) partition by range (occurred);

create index event_position on event (partition, entry_ms, entry_seq, entry_index); -- replay, and gaps of live readers
create index event_by_id on event (id);                                               -- GET /events/{id}
create index event_by_name on event (event, occurred, id);
create index event_by_resource on event (resource_id, occurred, id);
create index event_by_term on event using gin (terms);                                -- related, labels, any resource

-- Holds only events dated beyond the days made ahead; they move when their day is made.
create table event_default partition of event default;

-- How far a consumer group has applied a partition. Moved by compare-and-set in the transaction that writes the effect.
create table checkpoint (
  "group"      text        not null,
  partition    int2        not null,
  entry_ms     int8        not null default 0,
  entry_seq    int8        not null default 0,
  event_count  int8        not null default 0, -- events applied since the group began
  owner_epoch  int8        not null default 0, -- raised by each new owner; a stale one updates no row
  moved_at     timestamptz not null default now(),
  primary key ("group", partition)
);

-- What could not be taken or applied, with the reason and the bytes as they came.
create table dead_letter (
  id           uuid        not null primary key,
  "group"      text        not null, -- the consumer group that failed, or 'ingest' for what never became an event
  partition    int2        not null,
  entry_ms     int8        not null,
  entry_seq    int8        not null,
  entry_index  int4        not null,
  reason       text        not null,
  attempts     int4        not null default 1,
  body         bytea       not null,
  first_seen   timestamptz not null default now(),
  last_seen    timestamptz not null default now(),
  unique ("group", partition, entry_ms, entry_seq, entry_index)
);

-- Facts fixed at the first start and checked ever after, such as the number of partitions.
create table fixed_setting (
  name   text primary key,
  value  text not null
);
