import { LeaseWithoutLimit, type LeaseWithoutLimitRow } from '#src/events/lease-without-limit.ts'
import { type RowTable, rowTable } from './row-table.ts'

/** Leases whose limit was deleted, as the projection `lease-without-limit` keeps them. */
export const leaseWithoutLimitTable: RowTable<LeaseWithoutLimitRow> = rowTable(
  'lease_without_limit',
  LeaseWithoutLimit.properties,
)
