/** States of runs, in the shape in which Prefect's clients send and read them. Names of fields are those of the wire. */
import { type Static, Type } from '@sinclair/typebox'

export const STATE_TYPES = [
  'SCHEDULED',
  'PENDING',
  'RUNNING',
  'COMPLETED',
  'FAILED',
  'CANCELLED',
  'CRASHED',
  'PAUSED',
  'CANCELLING',
] as const
export type StateType = (typeof STATE_TYPES)[number]

/** A run in such a state is over, and only few commands move it again. */
export const TERMINAL_TYPES: ReadonlySet<StateType> = new Set(['COMPLETED', 'FAILED', 'CANCELLED', 'CRASHED'])

const Id = Type.Union([Type.String(), Type.Null()])
const Instant = Type.Union([Type.String(), Type.Null()])
const Text = Type.Union([Type.String(), Type.Null()])
const Flag = Type.Union([Type.Boolean(), Type.Null()])

/** What there is to know of a state beside its name. Instants are canonical. */
export const StateDetails = Type.Object({
  flow_run_id: Id,
  task_run_id: Id,
  /** For the task run that stands for a nested flow: the run of that flow. */
  child_flow_run_id: Id,
  scheduled_time: Instant,
  cache_key: Text,
  cache_expiration: Instant,
  deferred: Flag,
  untrackable_result: Type.Boolean(),
  pause_timeout: Instant,
  /** The pause ends the process: a suspended run. */
  pause_reschedule: Type.Boolean(),
  pause_key: Text,
  run_input_keyset: Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()]),
  refresh_cache: Flag,
  retriable: Flag,
  /** Made by the client for each wish to change the state; the same when it asks again. */
  transition_id: Id,
  task_parameters_id: Id,
  traceparent: Text,
  deployment_concurrency_lease_id: Id,
})
export type StateDetails = Static<typeof StateDetails>

export const State = Type.Object({
  id: Type.String(),
  type: Type.Union(STATE_TYPES.map((type) => Type.Literal(type))),
  name: Type.String(),
  /** Canonical instant; later than that of the state before. */
  timestamp: Type.String(),
  message: Text,
  /** Where the result is, in the client's words. */
  data: Type.Unknown(),
  state_details: StateDetails,
})
export type State = Static<typeof State>

/** Details of a state of which nothing else is known. */
export const NO_DETAILS: StateDetails = Object.freeze({
  flow_run_id: null,
  task_run_id: null,
  child_flow_run_id: null,
  scheduled_time: null,
  cache_key: null,
  cache_expiration: null,
  deferred: false,
  untrackable_result: false,
  pause_timeout: null,
  pause_reschedule: false,
  pause_key: null,
  run_input_keyset: null,
  refresh_cache: null,
  retriable: null,
  transition_id: null,
  task_parameters_id: null,
  traceparent: null,
  deployment_concurrency_lease_id: null,
})

/** True for a state after which a run is over. */
export function isTerminal(state: Pick<State, 'type'> | null): boolean {
  return state !== null && TERMINAL_TYPES.has(state.type)
}
