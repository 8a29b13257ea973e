-- Events that may kill the process that applies them: a note of each attempt survives the process.
-- Runs beside the previous release, which does not look at it. To undo by hand: drop the table.

create table suspect (
  "group"      text not null,
  partition    int2 not null,
  entry_ms     int8 not null,
  entry_seq    int8 not null,
  entry_index  int4 not null,
  attempts     int4 not null default 1, -- noted before each attempt, taken back after it
  primary key ("group", partition, entry_ms, entry_seq, entry_index)
);
