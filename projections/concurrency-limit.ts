/** concurrency_limit: one row per limit, with its leases. Safe to rebuild: touches nothing but its table. */
import { defineProjection } from '#src/consumer/projection.ts'
import { ConcurrencyLimit } from '#src/events/concurrency-limit.ts'
import { setFields, uuidOf } from '#src/events/set-fields.ts'

export default defineProjection({
  name: 'concurrency-limit',
  version: 1,
  table: 'concurrency_limit', // migrations/0027_concurrency_limits.sql
  row: ConcurrencyLimit,
  keyColumns: ['id'],
  since: 'created',
  key: (event) => uuidOf(event.resourceId),
  evolve: (on) => [
    on('prefect.concurrency-limit.deleted', () => null),
    on('prefect.concurrency-limit.*', (row, event) => setFields(row, event, 'concurrency_limit')),
    on('millrace.concurrency-limit.*', (row, event) => setFields(row, event, 'concurrency_limit')),
  ],
})
