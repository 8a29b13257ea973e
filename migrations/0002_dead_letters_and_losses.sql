-- What operators do with dead letters (list, replay, discard), and the ledger of events that Redis lost.
-- The previous release runs beside it: it names the columns that it writes, and the new ones have defaults.
-- To undo by hand: drop table loss; alter table dead_letter drop column ordering_key, drop column requested_at;
-- the indexes named here go with `drop index dead_letter_by_time`; and delete this file's row from `migration`.

alter table dead_letter
  add column ordering_key text not null default '', -- what its order depends on; empty when nothing does
  add column requested_at timestamptz;              -- a replay was asked for and has not been tried yet

create index dead_letter_by_time on dead_letter (last_seen desc, id desc);               -- pages of the list
create index dead_letter_requested on dead_letter ("group", partition) where requested_at is not null;

-- Entries that a consumer group needed and that are gone from its stream: what was lost, where, and why.
create table loss (
  id           int8        not null generated always as identity primary key,
  "group"      text        not null,
  partition    int2        not null,
  first_ms     int8        not null, -- the positions between which entries are missing, both included
  first_seq    int8        not null,
  last_ms      int8        not null,
  last_seq     int8        not null,
  entries      int8,                 -- null when not known
  events       int8,                 -- null when not known
  cause        text        not null, -- flushed, trimmed, missing, rolled_back …
  detail       text        not null default '',
  detected_at  timestamptz not null default now(),
  unique ("group", partition, first_ms, first_seq, last_ms, last_seq) -- recording one twice is recording it once
);
