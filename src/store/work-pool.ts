import {
  Worker,
  type WorkerRow,
  WorkPool,
  type WorkPoolRow,
  WorkQueue,
  type WorkQueueRow,
} from '#src/events/work-pool.ts'
import { type RowTable, rowTable } from './row-table.ts'

/** Work pools, as the projection `work-pool` keeps them. */
export const workPoolTable: RowTable<WorkPoolRow> = rowTable('work_pool', WorkPool.properties)
/** Their queues, as the projection `work-queue` keeps them. */
export const workQueueTable: RowTable<WorkQueueRow> = rowTable('work_queue', WorkQueue.properties)
/** Their workers, as the projection `worker` keeps them. */
export const workerTable: RowTable<WorkerRow> = rowTable('worker', Worker.properties)
