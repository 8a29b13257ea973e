-- Which rows a rebuild carries over, noted when it begins: decided again by whoever goes on with it, it could be others.
-- Runs beside the previous release, which decides again as before. To undo by hand: alter table rebuild drop column
-- carried_before; and delete this file's row from `migration`.

alter table rebuild add column carried_before timestamptz; -- rows that began before are; null for none
