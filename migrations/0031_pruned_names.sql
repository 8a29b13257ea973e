-- What left the log by its name, before its day did: a rebuild has to know it, whatever the overrides say by then.
-- Runs beside the previous release, which deletes by name and does not note it. To undo by hand: drop the table named here,
-- and delete this file's row from `migration`.

create table pruned_name (
  event  text        not null primary key collate "C",
  up_to  timestamptz not null -- events of this name that occurred before may be gone
);
