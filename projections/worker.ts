/** worker: one row per worker of a work pool. Read by /work_pools/…/workers. Safe to rebuild: touches nothing but its table. */
import { defineProjection } from '#src/consumer/projection.ts'
import { setFields, uuidOf } from '#src/events/set-fields.ts'
import { WORKER_DELETED, Worker } from '#src/events/work-pool.ts'

export default defineProjection({
  name: 'worker',
  version: 1,
  table: 'worker', // migrations/0026_deployments.sql
  row: Worker,
  keyColumns: ['id'],
  since: 'created',
  key: (event) => uuidOf(event.resourceId),
  evolve: (on) => [
    on(WORKER_DELETED, () => null),
    on('millrace.worker.*', (row, event) => setFields(row, event, 'worker')),
  ],
})
