/** work_pool: one row per work pool. Read by /work_pools. Safe to rebuild: touches nothing but its table. */
import { defineProjection } from '#src/consumer/projection.ts'
import { setFields, uuidOf } from '#src/events/set-fields.ts'
import { WorkPool } from '#src/events/work-pool.ts'

export default defineProjection({
  name: 'work-pool',
  version: 1,
  table: 'work_pool', // migrations/0026_deployments.sql
  row: WorkPool,
  keyColumns: ['id'],
  since: 'created',
  key: (event) => uuidOf(event.resourceId),
  evolve: (on) => [
    on('prefect.work-pool.deleted', () => null),
    on('prefect.work-pool.*', (row, event) => setFields(row, event, 'work_pool')),
  ],
})
