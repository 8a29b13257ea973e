/** Work pools, their queues and their workers as events tell them: each carries the fields that it set. */
import { type Static, Type } from '@sinclair/typebox'
import { MaybeId, MaybeInstant, MaybeInteger, MaybeText, RECORD_COLUMNS } from './columns.ts'
import { int4, nameText } from './formats.ts'

/** The row of a work pool; in events, `payload.work_pool`. */
export const WorkPool = Type.Object({
  ...RECORD_COLUMNS,
  name: nameText(),
  description: MaybeText,
  type: Type.String(),
  base_job_template: Type.Unknown(),
  is_paused: Type.Boolean(),
  concurrency_limit: MaybeInteger,
  status: Type.Union([Type.Literal('READY'), Type.Literal('NOT_READY'), Type.Literal('PAUSED')]),
  default_queue_id: MaybeId,
  storage_configuration: Type.Unknown(),
})
export type WorkPoolRow = Static<typeof WorkPool>

/** The row of a work queue; in events, `payload.work_queue`. */
export const WorkQueue = Type.Object({
  ...RECORD_COLUMNS,
  name: nameText(),
  description: Type.String(),
  is_paused: Type.Boolean(),
  concurrency_limit: MaybeInteger,
  /** From 1; lower ones come first. */
  priority: int4(),
  work_pool_id: Type.String(),
  work_pool_name: Type.String(),
  /** What old clients choose runs by; kept and given back. */
  filter: Type.Unknown(),
  last_polled: MaybeInstant,
  status: Type.Union([Type.Literal('READY'), Type.Literal('NOT_READY'), Type.Literal('PAUSED')]),
})
export type WorkQueueRow = Static<typeof WorkQueue>

/** The row of a worker; in events, `payload.worker`. */
export const Worker = Type.Object({
  ...RECORD_COLUMNS,
  name: Type.String(),
  work_pool_id: Type.String(),
  work_pool_name: Type.String(),
  last_heartbeat_time: MaybeInstant,
  heartbeat_interval_seconds: MaybeInteger,
  status: Type.Union([Type.Literal('ONLINE'), Type.Literal('OFFLINE')]),
})
export type WorkerRow = Static<typeof Worker>

/** Somebody asked for a queue's runs, and its status stayed what it was. */
export const WORK_QUEUE_POLLED = 'millrace.work-queue.polled'
export const WORKER_HEARTBEAT = 'millrace.worker.heartbeat'
export const WORKER_OFFLINE = 'millrace.worker.offline'
export const WORKER_DELETED = 'millrace.worker.deleted'
