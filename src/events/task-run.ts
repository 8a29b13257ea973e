/**
 * A task run as its events tell it. Clients decide about their task runs by themselves: each change of state is one event,
 * `prefect.task-run.<state>`, which carries the state and the whole run. They come late, twice, and in any order.
 */
import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { readUuid } from './check.ts'
import { type Event, RESOURCE_ID, RESOURCE_ROLE, type Resource } from './event.ts'
import { parseInstant } from './instant.ts'
import { uuidOf } from './set-fields.ts'
import { isTerminal, NO_DETAILS, STATE_TYPES, type State, type StateDetails } from './state.ts'

/** Each of them is a change of state, if it has one. */
export const TASK_RUN_EVENTS = 'prefect.task-run.*'
/** What a server changed of a run beside its state. */
export const TASK_RUN_UPDATED = 'millrace.task-run.updated'
/** Nothing is left of a run after it. */
export const TASK_RUN_DELETED = 'millrace.task-run.deleted'

const Id = Type.Union([Type.String(), Type.Null()])
const Instant = Type.Union([Type.String(), Type.Null()])
const Text = Type.Union([Type.String(), Type.Null()])
const StateType = Type.Union(STATE_TYPES.map((type) => Type.Literal(type)))

/** The row of a task run: names of fields are those of the table `task_run` and, where it has them, of Prefect's API. */
export const TaskRun = Type.Object({
  id: Type.String(),
  created: Type.String(),
  updated: Type.String(),
  name: Type.String(),
  flow_run_id: Id,
  task_key: Type.String(),
  dynamic_key: Type.String(),
  cache_key: Text,
  cache_expiration: Instant,
  task_version: Text,
  empirical_policy: Type.Unknown(),
  tags: Type.Array(Type.String()),
  labels: Type.Record(Type.String(), Type.Unknown()),
  task_inputs: Type.Record(Type.String(), Type.Unknown()),
  /** The current state, whole; the four after it are parts of it that are asked for. */
  state: Type.Unknown(),
  state_id: Type.String(),
  state_type: StateType,
  state_name: Type.String(),
  state_timestamp: Type.String(),
  run_count: Type.Integer(),
  flow_run_run_count: Type.Integer(),
  expected_start_time: Instant,
  next_scheduled_start_time: Instant,
  start_time: Instant,
  end_time: Instant,
  /** Seconds. */
  total_run_time: Type.Number(),
})
export type TaskRunRow = Static<typeof TaskRun>

const maybe = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Optional(Type.Union([schema, Type.Null()]))
const When = maybe(Type.Union([Type.String(), Type.Number()]))
const Anything = Type.Record(Type.String(), Type.Unknown())

/** What the tables can hold: more would be refused by each of them in its own way, so the event is refused instead. */
const Count = Type.Integer({ minimum: -(2 ** 31), maximum: 2 ** 31 - 1 })

/** What an event carries. Clients leave out what they never set. */
const Told = Type.Object({
  validated_state: Type.Object({
    type: StateType,
    name: maybe(Type.String()),
    message: maybe(Type.String()),
    state_details: maybe(Anything),
    data: Type.Optional(Type.Unknown()),
  }),
  task_run: Type.Object({
    name: maybe(Type.String()),
    task_key: Type.String(),
    dynamic_key: Type.String(),
    cache_key: maybe(Type.String()),
    cache_expiration: When,
    task_version: maybe(Type.String()),
    empirical_policy: maybe(Anything),
    tags: maybe(Type.Array(Type.String())),
    labels: maybe(Anything),
    task_inputs: maybe(Anything),
    run_count: maybe(Count),
    flow_run_run_count: maybe(Count),
    expected_start_time: When,
    start_time: When,
    end_time: When,
    total_run_time: maybe(Type.Number()),
  }),
})
const isTold = TypeCompiler.Compile(Told)

/** The id under which an event tells of a task run, and by what else the run is known. */
export interface TaskRunNames {
  readonly id: string | null
  readonly flowRunId: string | null
  /** Two ids of one run have it in common; null for a run without a flow run. */
  readonly naturalKey: readonly [flowRunId: string, taskKey: string, dynamicKey: string] | null
}

type Telling = Pick<Event, 'id' | 'occurred' | 'related' | 'payload' | 'resource'> & { readonly resourceId: string }

/** Null for an event that tells of no state, such as a heartbeat, and for one that nobody orchestrates. */
export function taskRunNames(event: Telling): TaskRunNames | null {
  if (last?.event !== event) last = { event, names: namesOf(event) }
  return last.names
}

/** Asked for an event after another, of each several times. */
let last: { readonly event: Telling; readonly names: TaskRunNames | null } | undefined

function namesOf(event: Telling): TaskRunNames | null {
  const { task_run, validated_state } = event.payload
  if (!isObject(task_run) || !isObject(validated_state) || event.resource['prefect.orchestration'] === undefined)
    return null
  const flowRunId = flowRunOf(event.related)
  const { task_key, dynamic_key } = task_run
  const isNamed = flowRunId !== null && typeof task_key === 'string' && typeof dynamic_key === 'string'
  return { id: uuidOf(event.resourceId), flowRunId, naturalKey: isNamed ? [flowRunId, task_key, dynamic_key] : null }
}

/** The state that an event tells of. @throws TypeError when it can't be read */
export function taskRunStateOf(event: Telling, taskRunId: string): State {
  if (lastState?.event !== event || lastState.taskRunId !== taskRunId)
    lastState = { event, taskRunId, state: stateOf(event, taskRunId) }
  return lastState.state
}

/** Asked for by the projection of runs, and then by that of states. */
let lastState: { readonly event: Telling; readonly taskRunId: string; readonly state: State } | undefined

function stateOf(event: Telling, taskRunId: string): State {
  const { validated_state } = told(event)
  const { type, name, message = null, data = null, state_details } = validated_state
  return {
    id: event.id,
    type,
    name: name || nameOf(type),
    timestamp: event.occurred,
    message,
    data,
    state_details: detailsOf(state_details ?? {}, {
      flow_run_id: taskRunNames(event)?.flowRunId ?? null,
      task_run_id: taskRunId,
    }),
  }
}

/** The run as an event tells it. @throws TypeError when it can't be read */
export function taskRunOf(event: Telling, taskRunId: string): TaskRunRow {
  const { task_run } = told(event)
  const state = taskRunStateOf(event, taskRunId)
  return {
    id: taskRunId,
    created: event.occurred,
    updated: event.occurred,
    name: task_run.name ?? '',
    flow_run_id: taskRunNames(event)?.flowRunId ?? null,
    task_key: task_run.task_key,
    dynamic_key: task_run.dynamic_key,
    cache_key: task_run.cache_key ?? null,
    cache_expiration: instantOf(task_run.cache_expiration),
    task_version: task_run.task_version ?? null,
    empirical_policy: { ...NO_POLICY, ...task_run.empirical_policy },
    tags: task_run.tags ?? [],
    labels: task_run.labels ?? {},
    task_inputs: task_run.task_inputs ?? {},
    state,
    state_id: state.id,
    state_type: state.type,
    state_name: state.name,
    state_timestamp: state.timestamp,
    run_count: task_run.run_count ?? 0,
    flow_run_run_count: task_run.flow_run_run_count ?? 0,
    expected_start_time: instantOf(task_run.expected_start_time),
    next_scheduled_start_time: state.type === 'SCHEDULED' ? state.state_details.scheduled_time : null,
    start_time: instantOf(task_run.start_time),
    end_time: instantOf(task_run.end_time),
    total_run_time: task_run.total_run_time ?? 0,
  }
}

/** What Prefect's policy has where nothing is said. */
const NO_POLICY = {
  max_retries: 0,
  retry_delay_seconds: 0,
  retries: null,
  retry_delay: null,
  retry_jitter_factor: null,
}

/**
 * True when what an event tells comes after what a row holds. A server decides on the row, so its word holds if it is the
 * later one. Clients' events may be late, and their clocks differ: there a run that has begun more often is further, of
 * one attempt its end is the last, and only between others the clock decides. So a finished run is never moved back, and
 * whatever the order in which a client's events come, the same one is the last.
 */
export function comesAfter(next: TaskRunRow, row: TaskRunRow, byServer: boolean): boolean {
  if (byServer) return isLater(next, row)
  if (next.run_count !== row.run_count) return next.run_count > row.run_count
  const [over, wasOver] = [isTerminal({ type: next.state_type }), isTerminal({ type: row.state_type })]
  return over === wasOver ? isLater(next, row) : over
}

function isLater(next: TaskRunRow, row: TaskRunRow): boolean {
  if (next.state_timestamp !== row.state_timestamp) return next.state_timestamp > row.state_timestamp
  return next.state_id > row.state_id
}

let lastChecked: object | undefined

function told({ payload }: Pick<Event, 'payload'>): Static<typeof Told> {
  if (lastChecked === payload) return payload as Static<typeof Told>
  if (isTold.Check(payload)) {
    lastChecked = payload
    return payload
  }
  const { path, message } = isTold.Errors(payload).First() ?? { path: '', message: 'is wrong' }
  throw new TypeError(`a task run's event can't be read: payload${path}: ${message}`)
}

function flowRunOf(related: readonly Resource[]): string | null {
  for (const resource of related) if (resource[RESOURCE_ROLE] === 'flow-run') return uuidOf(resource[RESOURCE_ID] ?? '')
  return null
}

const IDS: ReadonlySet<string> = new Set(['child_flow_run_id', 'transition_id', 'task_parameters_id'])
const INSTANTS: ReadonlySet<string> = new Set(['scheduled_time', 'cache_expiration', 'pause_timeout'])

function detailsOf(details: Readonly<Record<string, unknown>>, own: Partial<StateDetails>): StateDetails {
  const known: Record<string, unknown> = { ...NO_DETAILS, ...own }
  for (const name of Object.keys(details)) {
    if (!(name in NO_DETAILS) || name in own) continue
    const value = details[name]
    known[name] = INSTANTS.has(name) ? instantOf(value) : IDS.has(name) ? readUuid(value) : value
  }
  return known as StateDetails
}

/** Null where there is none, and for what can't be read: the rest of the event is worth having. */
function instantOf(value: unknown): string | null {
  return value === null || value === undefined ? null : (parseInstant(value)?.iso ?? null)
}

function nameOf(type: State['type']): string {
  return type.charAt(0) + type.slice(1).toLowerCase()
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
