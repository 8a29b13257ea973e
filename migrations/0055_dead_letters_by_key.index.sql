-- Finds the letters of one ordering key, in the order in which they are applied.
-- Runs beside the previous release. To undo by hand: drop index dead_letter_by_key; and delete this file's row from `migration`.

create index dead_letter_by_key on dead_letter ("group", partition, ordering_key, entry_ms, entry_seq, entry_index);
