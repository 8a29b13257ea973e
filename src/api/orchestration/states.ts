/** States as clients propose and read them, and how they are told what became of a proposal. */
import { type Static, Type } from '@sinclair/typebox'
import { NO_DETAILS, STATE_TYPES, State, type StateDetails } from '#src/events/state.ts'
import type { FlowRunAnswer, ProposedState, TaskRuling } from '#src/orchestration/index.ts'
import { instant, maybe, Uuid, uuid, When } from './fields.ts'

const Text = maybe(Type.String())
const Flag = maybe(Type.Boolean())
const Id = maybe(Uuid)

/** Prefect ignores details that it doesn't know. */
const Details = Type.Object({
  flow_run_id: Id,
  task_run_id: Id,
  child_flow_run_id: Id,
  scheduled_time: maybe(When),
  cache_key: Text,
  cache_expiration: maybe(When),
  deferred: Flag,
  untrackable_result: Type.Optional(Type.Boolean()),
  pause_timeout: maybe(When),
  pause_reschedule: Type.Optional(Type.Boolean()),
  pause_key: Text,
  run_input_keyset: maybe(Type.Record(Type.String(), Type.String())),
  refresh_cache: Flag,
  retriable: Flag,
  transition_id: Id,
  task_parameters_id: Id,
  traceparent: Text,
  deployment_concurrency_lease_id: Id,
})

/** A state that a client proposes. */
export const StateCreate = Type.Object(
  {
    type: Type.Union(STATE_TYPES.map((type) => Type.Literal(type))),
    name: Text,
    message: Text,
    data: Type.Optional(Type.Unknown()),
    state_details: Type.Optional(Details),
  },
  { additionalProperties: false },
)

const IDS: ReadonlySet<string> = new Set([
  'flow_run_id',
  'task_run_id',
  'child_flow_run_id',
  'transition_id',
  'task_parameters_id',
  'deployment_concurrency_lease_id',
])
const INSTANTS: ReadonlySet<string> = new Set(['scheduled_time', 'cache_expiration', 'pause_timeout'])

/** The proposal in our own form: ids and instants canonical, and no details but the known ones. */
export function proposedState({ type, name, message, data, state_details }: Static<typeof StateCreate>): ProposedState {
  return {
    type,
    name: name ?? null,
    message: message ?? null,
    data: data ?? null,
    state_details: detailsOf(state_details ?? {}),
  }
}

function detailsOf(details: Static<typeof Details>): Partial<StateDetails> {
  const known = Object.entries(details).filter(([name]) => name in NO_DETAILS)
  return Object.fromEntries(known.map(([name, value]) => [name, canonical(name, value)]))
}

function canonical(name: string, value: unknown): unknown {
  if (value === null) return null
  if (IDS.has(name)) return uuid(value as string)
  return INSTANTS.has(name) ? instant(value as Static<typeof When>) : value
}

/** What a client is told of its proposal. */
export const OrchestrationResult = Type.Object({
  state: Type.Union([State, Type.Null()]),
  status: Type.Union((['ACCEPT', 'REJECT', 'WAIT', 'ABORT'] as const).map((status) => Type.Literal(status))),
  details: Type.Object({
    type: Type.String(),
    reason: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    delay_seconds: Type.Optional(Type.Integer()),
  }),
})

type Answered = Extract<FlowRunAnswer, { kind: 'run' }>

type Ruling = NonNullable<Answered['verdict']>['ruling'] | TaskRuling

/** The answer to a proposal: with it comes the state that the run is in. */
export function resultOf({ run, verdict }: Answered): Static<typeof OrchestrationResult> {
  return resultWith(run.state, verdict?.ruling ?? { kind: 'pass' })
}

/** The same for a run of any kind. */
export function resultWith(current: unknown, ruling: Ruling): Static<typeof OrchestrationResult> {
  const state = current as State
  if (ruling.kind === 'pass') return { state, status: 'ACCEPT', details: { type: 'accept_details' } }
  const { reason } = ruling
  if (ruling.kind === 'reject') return { state, status: 'REJECT', details: { type: 'reject_details', reason } }
  if (ruling.kind === 'abort') return { state, status: 'ABORT', details: { type: 'abort_details', reason } }
  return { state, status: 'WAIT', details: { type: 'wait_details', delay_seconds: ruling.seconds, reason } }
}
