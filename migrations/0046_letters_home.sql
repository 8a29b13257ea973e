-- A dead letter belongs to the owner of a partition, and when the number of partitions changes, to another one: where events
-- of its ordering key go from then on. Null: the partition of its position, as before.
-- Runs beside the previous release, which goes by the partition of the position. To undo by hand: alter table dead_letter
-- drop column home; and delete this file's row from `migration`.

alter table dead_letter add column home int2;
