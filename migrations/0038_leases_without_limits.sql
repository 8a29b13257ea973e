-- Leases whose concurrency limit was deleted, and whose holders go on: a read model of what commands did.
-- Runs beside the previous release, which does not look at it: a limit that it deletes takes its leases along, as before.
-- To undo by hand: drop the table, delete from projection where name = 'lease-without-limit', and delete this file's row from
-- `migration`.

create table lease_without_limit (
  id          uuid        not null primary key, -- of the lease
  version     int8        not null,
  created     timestamptz not null,
  updated     timestamptz not null,
  lasts_until timestamptz not null
);
create index lease_without_limit_by_end on lease_without_limit (lasts_until);
