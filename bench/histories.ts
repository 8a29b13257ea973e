/**
 * Histories of flow runs, their task runs and other resources, as they arrive at a server: many at a time, late and out of
 * order where clients tell of them, some twice, by clocks that differ. The same seed gives the same events in the same
 * order; a million takes some ten seconds and no memory to speak of.
 */
import type { Event } from '#src/events/event.ts'
import type { FlowRunRow } from '#src/events/flow-run.ts'
import { instantOfMs } from '#src/events/instant.ts'
import type { StateType } from '#src/events/state.ts'
import { ALONE, decideFlowRun, type FlowRunCommand } from '#src/orchestration/index.ts'
import { createRandom, type Random } from '#test/faults/harness/random.ts'

export interface HistoryOptions {
  readonly seed: number
  readonly flowRuns: number
  /** Of each flow run. */
  readonly taskRuns: number
  /** When the first begins, epoch milliseconds. */
  readonly startMs: number
  /** Flow runs that go on at the same time; 50 unless said otherwise. */
  readonly together?: number
  /** Of 100 events of task runs, how many come later than some that follow them; 10 unless said otherwise. */
  readonly latePercent?: number
  /** Of 100 events, how many come a second time, some hundred events later; 2 unless said otherwise. */
  readonly twicePercent?: number
  /** By how much the clocks of clients differ from the server's, at most; 2,000 ms unless said otherwise. */
  readonly skewMs?: number
}

/** How many events there are about, without those that come twice. */
export function countHistories({ flowRuns, taskRuns }: Pick<HistoryOptions, 'flowRuns' | 'taskRuns'>): number {
  return Math.round(flowRuns * (1 + 3 + 1 + taskRuns * 3.4))
}

/** The events in the order of their arrival. Those of a flow's and a flow run's own are in the order of their versions. */
export function* makeHistories(options: HistoryOptions): Generator<Event> {
  const { together = 50, twicePercent = 2 } = options
  const random = createRandom(options.seed)
  const echoes: Event[] = []
  const open: Iterator<Event>[] = []
  let begun = 0
  for (;;) {
    while (open.length < together && begun < options.flowRuns)
      open.push(flowRunHistory(random, options, options.startMs + 20 * begun++)[Symbol.iterator]())
    if (open.length === 0) break
    const at = random.below(open.length)
    const { value, done } = (open[at] as Iterator<Event>).next()
    if (done) {
      open.splice(at, 1)
      continue
    }
    yield value
    // What clients send, they send again when they don't know whether it came; commands are never given twice.
    if (isFromClient(value) && random.below(100) < twicePercent) echoes.push(value)
    if (echoes.length > 200 || (echoes.length > 0 && random.below(50) === 0))
      yield echoes.splice(random.below(echoes.length), 1)[0] as Event
  }
  yield* echoes
}

function isFromClient({ event }: Event): boolean {
  return event.startsWith('prefect.task-run.') || event === ORDER
}

const ORDER = 'order.placed'

function flowRunHistory(random: Random, options: HistoryOptions, startMs: number): readonly Event[] {
  const { taskRuns, skewMs = 2_000, latePercent = 10 } = options
  const flowRunId = random.uuid()
  const flowId = random.uuid()
  const name = `flow-${flowId.slice(0, 8)}`
  const skew = random.below(2 * skewMs + 1) - skewMs
  let row: FlowRunRow | null = null
  const command = (given: FlowRunCommand, afterMs: number): readonly Event[] => {
    const context = { now: instantOfMs(startMs + afterMs).iso, lastVersion: 0, newId: random.uuid, around: ALONE }
    const { events, answer } = decideFlowRun(row, given, context)
    if (answer.kind === 'run') row = answer.run
    return events
  }
  const state = (type: StateType, afterMs: number) =>
    command({ type: 'set-state', state: { type }, force: false }, afterMs)
  const run = { id: flowRunId, name: `run-${flowRunId.slice(0, 8)}`, flow_id: flowId, flow_name: name }
  const tasks = Array.from({ length: taskRuns }, (_, i) =>
    taskRunHistory(random, flowRunId, `${i}`, startMs + 10 + i + skew),
  )
  return [
    flowCreated(random, flowId, name, startMs),
    ...command({ type: 'create', run, state: { type: 'PENDING' } }, 1),
    ...state('RUNNING', 2),
    ...delayed(random, braided(random, tasks), latePercent),
    ...state(random.below(10) === 0 ? 'FAILED' : 'COMPLETED', 1_000 + taskRuns * 10),
    orderPlaced(random, startMs + random.below(1_000)),
  ]
}

/** One list of several, each in its own order. */
function braided(random: Random, lists: readonly (readonly Event[])[]): Event[] {
  const left = lists.map((list) => ({ list, at: 0 }))
  const all: Event[] = []
  while (left.length > 0) {
    const i = random.below(Math.min(left.length, 8)) // a few tasks run at a time
    const one = left[i] as (typeof left)[number]
    all.push(one.list[one.at++] as Event)
    if (one.at === one.list.length) left.splice(i, 1)
  }
  return all
}

function delayed(random: Random, events: readonly Event[], percent: number): Event[] {
  const all = [...events]
  for (let i = 0; i < all.length; i++) {
    if (random.below(100) >= percent) continue
    const to = Math.min(all.length - 1, i + random.below(30))
    all.splice(to, 0, ...all.splice(i, 1))
  }
  return all
}

function taskRunHistory(random: Random, flowRunId: string, key: string, startMs: number): readonly Event[] {
  const id = random.uuid()
  const flowRun = `prefect.flow-run.${flowRunId}`
  const name = `task-${key}`
  const expected = instantOfMs(startMs).iso
  const began = instantOfMs(startMs + 3).iso
  let runCount = 0
  let atMs = startMs
  let before: { readonly id: string; readonly type: StateType; readonly name: string } | null = null
  const event = (type: StateType, state: string, task: object = {}): Event => {
    atMs += 1 + random.below(4)
    const occurred = instantOfMs(atMs).iso
    const validated_state = { type, name: state, message: '', state_details: {}, data: null }
    const told: Event = {
      id: random.uuid(),
      occurred,
      event: `prefect.task-run.${state}`,
      resource: {
        'prefect.resource.id': `prefect.task-run.${id}`,
        'prefect.resource.name': name,
        'prefect.run-count': String(runCount),
        'prefect.state-message': '',
        'prefect.state-name': state,
        'prefect.state-timestamp': occurred,
        'prefect.state-type': type,
        'prefect.orchestration': 'client',
      },
      related: [
        { 'prefect.resource.id': flowRun, 'prefect.resource.role': 'flow-run', 'prefect.resource.name': 'run' },
      ],
      payload: {
        intended: { from: before?.type ?? null, to: type },
        initial_state: before && { type: before.type, name: before.name, message: '', state_details: {} },
        validated_state,
        task_run: {
          name,
          task_key: 'load-6b1e',
          dynamic_key: key,
          empirical_policy: { max_retries: 0, retry_delay_seconds: 0, retries: 1, retry_delay: 0 },
          tags: ['etl'],
          labels: {},
          task_inputs: {},
          run_count: runCount,
          flow_run_run_count: 1,
          expected_start_time: expected,
          ...task,
          total_run_time: Math.max(0, atMs - startMs - 3) / 1_000,
        },
      },
      follows: before?.id ?? null,
    }
    before = { id: told.id, type, name: state }
    return told
  }
  const attempt = (state: string) => {
    runCount++
    return event('RUNNING', state, { start_time: began })
  }
  const events = [event('PENDING', 'Pending'), attempt('Running')]
  if (random.below(5) === 0)
    events.push(event('SCHEDULED', 'AwaitingRetry', { start_time: began }), attempt('Retrying'))
  const [type, state] = random.below(20) === 0 ? (['FAILED', 'Failed'] as const) : (['COMPLETED', 'Completed'] as const)
  events.push(event(type, state, { start_time: began, end_time: instantOfMs(atMs + 5).iso }))
  return events
}

function flowCreated(random: Random, id: string, name: string, atMs: number): Event {
  const now = instantOfMs(atMs).iso
  const flow = { id, version: 1, created: now, updated: now, name, tags: [], labels: {} }
  return made(random, 'prefect.flow.created', `prefect.flow.${id}`, now, { flow })
}

function orderPlaced(random: Random, atMs: number): Event {
  return made(random, ORDER, `order.${random.below(1_000)}`, instantOfMs(atMs).iso, { cents: random.below(10_000) })
}

function made(random: Random, event: string, resourceId: string, occurred: string, payload: Event['payload']): Event {
  const resource = { 'prefect.resource.id': resourceId }
  return { id: random.uuid(), occurred, event, resource, related: [], payload, follows: null }
}
