/** work_queue: one row per queue of a work pool. Read by /work_queues. Safe to rebuild: touches nothing but its table. */
import { defineProjection } from '#src/consumer/projection.ts'
import { setFields, uuidOf } from '#src/events/set-fields.ts'
import { WORK_QUEUE_POLLED, WorkQueue } from '#src/events/work-pool.ts'

export default defineProjection({
  name: 'work-queue',
  version: 1,
  table: 'work_queue', // migrations/0026_deployments.sql
  row: WorkQueue,
  keyColumns: ['id'],
  since: 'created',
  key: (event) => uuidOf(event.resourceId),
  evolve: (on) => [
    on('prefect.work-queue.deleted', () => null),
    on(WORK_QUEUE_POLLED, (row, event) => setFields(row, event, 'work_queue')),
    on('prefect.work-queue.*', (row, event) => setFields(row, event, 'work_queue')),
  ],
})
