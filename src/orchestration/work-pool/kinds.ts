import type { WorkerRow, WorkPoolRow, WorkQueueRow } from '#src/events/work-pool.ts'
import { WORK_QUEUE_POLLED, WORKER_HEARTBEAT, WORKER_OFFLINE } from '#src/events/work-pool.ts'
import { workerTable, workPoolTable, workQueueTable } from '#src/store/work-pool.ts'
import { relatedThing } from '../related.ts'
import type { StoredRecord } from '../stored-record.ts'

/** Work pools: there is one for each name. */
export const WORK_POOLS: StoredRecord<WorkPoolRow> = {
  kind: 'work-pool',
  from: 'prefect',
  payload: 'work_pool',
  table: workPoolTable,
  labels: ({ name, type }) => ({
    'prefect.resource.name': name,
    'prefect.work-pool.type': type,
    'prefect.resource.role': 'work-pool',
  }),
  related: ({ default_queue_id }) => relatedThing('work-queue', default_queue_id, null, 'default-queue'),
  condition: { fields: ['status', 'is_paused'], event: (_, { status }) => `prefect.work-pool.${dashed(status)}` },
}

/** Work queues: names are unique within a pool. */
export const WORK_QUEUES: StoredRecord<WorkQueueRow> = {
  kind: 'work-queue',
  from: 'prefect',
  payload: 'work_queue',
  table: workQueueTable,
  labels: ({ name }) => ({ 'prefect.resource.name': name, 'prefect.resource.role': 'work-queue' }),
  related: ({ work_pool_id, work_pool_name }) => relatedThing('work-pool', work_pool_id, work_pool_name),
  condition: {
    fields: ['status', 'is_paused', 'last_polled'],
    event: (before, after) =>
      before.status === after.status ? WORK_QUEUE_POLLED : `prefect.work-queue.${dashed(after.status)}`,
  },
}

/** Workers: names are unique within a pool. Prefect's server has no events of them. */
export const WORKERS: StoredRecord<WorkerRow> = {
  kind: 'worker',
  from: 'millrace',
  payload: 'worker',
  table: workerTable,
  labels: ({ name }) => ({ 'prefect.resource.name': name }),
  related: ({ work_pool_id, work_pool_name }) => relatedThing('work-pool', work_pool_id, work_pool_name),
  condition: {
    fields: ['status', 'last_heartbeat_time', 'heartbeat_interval_seconds'],
    event: (_, { status }) => (status === 'ONLINE' ? WORKER_HEARTBEAT : WORKER_OFFLINE),
  },
}

/** `NOT_READY` as `not-ready`. */
function dashed(status: string): string {
  return status.toLowerCase().replaceAll('_', '-')
}
