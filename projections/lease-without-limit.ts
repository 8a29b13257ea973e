/** lease_without_limit: leases that outlive their concurrency limit. Safe to rebuild: touches nothing but its table. */
import { defineProjection } from '#src/consumer/projection.ts'
import { LeaseWithoutLimit } from '#src/events/lease-without-limit.ts'
import { setFields, uuidOf } from '#src/events/set-fields.ts'

export default defineProjection({
  name: 'lease-without-limit',
  version: 1,
  table: 'lease_without_limit', // migrations/0038_leases_without_limits.sql
  row: LeaseWithoutLimit,
  keyColumns: ['id'],
  since: 'created',
  key: (event) => uuidOf(event.resourceId),
  evolve: (on) => [
    on('millrace.lease-without-limit.deleted', () => null),
    on('millrace.lease-without-limit.*', (row, event) => setFields(row, event, 'lease_without_limit')),
  ],
})
