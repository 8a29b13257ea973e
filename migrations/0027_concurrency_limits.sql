-- Concurrency limits and who holds their slots: a read model of what commands did.
-- Runs beside the previous release, which does not look at it. To undo by hand: drop the table, delete from projection
-- where name = 'concurrency-limit', and delete this file's row from `migration`.

create table concurrency_limit (
  id                          uuid        not null primary key, -- made of the name that it was created with
  version                     int8        not null,
  created                     timestamptz not null,
  updated                     timestamptz not null,
  name                        text        not null, -- may be changed, so it is unique by command and not by constraint
  active                      boolean     not null,
  slot_limit                  int4        not null,
  slot_decay_per_second       float8      not null,
  avg_slot_occupancy_seconds  float8      not null,
  denied_slots                int4        not null,
  taken_slots                 float8      not null,
  taken_at                    timestamptz not null,
  leases                      json        not null,
  lease_ids                   text[]      not null,
  next_end                    timestamptz
) with (fillfactor = 70); -- rewritten with each slot that is taken or given back
create index concurrency_limit_by_name on concurrency_limit (name, id);
create index concurrency_limit_leases on concurrency_limit using gin (lease_ids);
create index concurrency_limit_by_end on concurrency_limit (next_end) where next_end is not null;
