/**
 * A flow run as its events tell it. Each event of a flow run that a command made carries, beside what Prefect's events
 * have, `payload.flow_run`: the fields of the run that it set. The first one has them all; so the run is the merge of its
 * events' `flow_run` in their order, and nothing else is needed to make it anew.
 */
import { type Static, Type } from '@sinclair/typebox'
import { Tags } from './columns.ts'
import { indexedText, int4 } from './formats.ts'
import { STATE_TYPES } from './state.ts'

const Id = Type.Union([Type.String(), Type.Null()])
const Instant = Type.Union([Type.String(), Type.Null()])
const Text = Type.Union([Type.String(), Type.Null()])

/** How a run is to be retried, and how far it has come with that. */
export const FlowRunPolicy = Type.Object({
  max_retries: Type.Integer(),
  retry_delay_seconds: Type.Number(),
  retries: Type.Union([Type.Integer(), Type.Null()]),
  /** Seconds. */
  retry_delay: Type.Union([Type.Integer(), Type.Null()]),
  /** Keys of the pauses that the run has seen; none is entered twice. */
  pause_keys: Type.Array(Type.String()),
  resuming: Type.Union([Type.Boolean(), Type.Null()]),
  retry_type: Type.Union([Type.Literal('in_process'), Type.Literal('reschedule'), Type.Null()]),
})
export type FlowRunPolicy = Static<typeof FlowRunPolicy>

/** The row of a flow run: names of fields are those of the table `flow_run` and, where it has them, of Prefect's API. */
export const FlowRun = Type.Object({
  id: Type.String(),
  /** Events that commands made for this run. */
  version: Type.Integer(),
  created: Type.String(),
  updated: Type.String(),
  name: indexedText(),
  flow_id: Type.String(),
  flow_name: Type.String(),
  deployment_id: Id,
  deployment_version: Text,
  work_queue_id: Id,
  work_queue_name: Text,
  work_pool_id: Id,
  work_pool_name: Text,
  flow_version: Text,
  parameters: Type.Unknown(),
  idempotency_key: Type.Union([indexedText(), Type.Null()]),
  context: Type.Unknown(),
  empirical_policy: FlowRunPolicy,
  tags: Tags,
  labels: Type.Record(Type.String(), Type.Unknown()),
  parent_task_run_id: Id,
  /** The current state, whole; the four after it are parts of it that are asked for. */
  state: Type.Unknown(),
  state_id: Id,
  state_type: Type.Union([...STATE_TYPES.map((type) => Type.Literal(type)), Type.Null()]),
  state_name: Type.Union([indexedText(), Type.Null()]),
  state_timestamp: Instant,
  run_count: int4(),
  expected_start_time: Instant,
  next_scheduled_start_time: Instant,
  start_time: Instant,
  end_time: Instant,
  /** Seconds in states of the type RUNNING that have ended. */
  total_run_time: Type.Number(),
  auto_scheduled: Type.Boolean(),
  infrastructure_document_id: Id,
  infrastructure_pid: Text,
  created_by: Type.Unknown(),
  job_variables: Type.Unknown(),
})
export type FlowRunRow = Static<typeof FlowRun>

/** Names of the events that are no change of state; `prefect.flow-run.<state>` are those that are. */
export const FLOW_RUN_UPDATED = 'millrace.flow-run.updated'
export const FLOW_RUN_DELETED = 'millrace.flow-run.deleted'
