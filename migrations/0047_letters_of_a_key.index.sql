-- Finds the letters of one ordering key, in the order in which they are applied, whatever partition each came from.
-- Runs beside the previous release. To undo by hand: drop index dead_letter_of_key; and delete this file's row from `migration`.

create index dead_letter_of_key on dead_letter ("group", ordering_key, entry_ms, entry_seq, entry_index);
