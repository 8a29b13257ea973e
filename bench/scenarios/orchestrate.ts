/**
 * What a client waits for: to create a run, to change its state; how many runs 16 clients bring to their end; how fast task
 * runs are told and can be read. The same calls go to Prefect's own server, where there is a Python.
 */
import { makeTemporaryHome, removeHome } from '#test/servers/temporary-home.ts'
import { type ApiClient, apiClient } from '../api-client.ts'
import { startPrefectServer } from '../prefect-server.ts'
import { percentile, round, type Scenario } from '../scenario.ts'
import { startBenchServers } from '../servers.ts'
import { tellTaskRuns } from '../task-runs.ts'

const CLIENTS = 16

interface Sizes {
  readonly alone: number
  readonly runs: number
  readonly taskRuns: number
}
type Figures = Readonly<Record<string, number>>

export const orchestrate: Scenario = {
  name: 'orchestrate',
  title: "create-run and set_state, flow runs by 16 clients, task runs told; beside Prefect's own server",
  async run({ quick, say }) {
    const servers = await startBenchServers()
    const home = makeTemporaryHome()
    const failures: string[] = []
    try {
      const ours = await servers.millrace(['server', 'start'], { MILLRACE_SERVER_RATE_LIMIT: '0' })
      const prefect = await startPrefectServer(servers, home, say)
      const subjects = [await open(ours.port, quick ? QUICK : FULL)]
      if (prefect !== null) subjects.push(await open(prefect.port, quick ? SMALL : THEIRS))
      await measure(subjects, say, failures)
      await ours.stop()
      await prefect?.stop()
      const [figures = {}, theirs] = subjects.map(figuresOf)
      const rows = Object.entries(figures).map(([what, value]) => ({
        what,
        Millrace: value,
        ...(theirs && { [`Prefect ${prefect?.version}`]: theirs[what] ?? 0 }),
      }))
      return { failures, rows }
    } finally {
      await servers.stop()
      removeHome(home)
    }
  },
}

const FULL: Sizes = { alone: 1_000, runs: 3_200, taskRuns: 30_000 }
const QUICK: Sizes = { alone: 200, runs: 320, taskRuns: 2_000 }
/** Its server is slower, and figures settle as soon. */
const THEIRS: Sizes = { alone: 200, runs: 320, taskRuns: 1_000 }
const SMALL: Sizes = { alone: 80, runs: 64, taskRuns: 200 }
/** The one client asks both servers by turns, so that whatever else the machine does is felt by both. */
const TURNS = 4
const WARM_UP = 20

/** A server that is measured. */
interface Subject {
  readonly sizes: Sizes
  readonly one: ApiClient
  readonly many: ApiClient
  readonly flowId: string
  readonly times: Readonly<Record<'create' | 'running' | 'completed', number[]>>
  runsPerSecond: number
  eventsPerSecond: number
}

async function open(port: number, sizes: Sizes): Promise<Subject> {
  const one = apiClient(port)
  const { id: flowId } = await one.call<{ id: string }>('POST', '/flows/', { name: 'bench' })
  for (let i = 0; i < WARM_UP; i++) await runOnce(one, flowId) // caches, plans, code
  const times = { create: [], running: [], completed: [] }
  return { sizes, one, many: apiClient(port, CLIENTS), flowId, times, runsPerSecond: 0, eventsPerSecond: 0 }
}

async function measure(subjects: readonly Subject[], say: (line: string) => void, failures: string[]): Promise<void> {
  try {
    for (let turn = 0; turn < TURNS; turn++)
      for (const { one, flowId, times, sizes } of subjects)
        for (let i = 0; i < sizes.alone / TURNS; i++) await runOnce(one, flowId, times)
    say('one client is done')
    for (const subject of subjects) subject.runsPerSecond = await runTogether(subject, failures)
    say(`${CLIENTS} clients are done`)
    for (const subject of subjects)
      subject.eventsPerSecond = await tellTaskRuns(subject.many, subject.flowId, subject.sizes.taskRuns, failures)
  } finally {
    for (const { one, many } of subjects) {
      one.close()
      many.close()
    }
  }
}

/** Returns runs a second. */
async function runTogether({ one, many, flowId, sizes }: Subject, failures: string[]): Promise<number> {
  const began = performance.now()
  let left = sizes.runs
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      while (left-- > 0) await runOnce(many, flowId)
    }),
  )
  const runsPerSecond = (sizes.runs / (performance.now() - began)) * 1_000
  const expected = WARM_UP + sizes.alone + sizes.runs
  const count = await one.call<number>('POST', '/flow_runs/count', {
    flow_runs: { state: { type: { any_: ['COMPLETED'] } } },
  })
  if (count !== expected) failures.push(`${count} of ${expected} runs are completed`)
  return runsPerSecond
}

function figuresOf({ times, runsPerSecond, eventsPerSecond }: Subject): Figures {
  const ms = (all: readonly number[], share: number) => round(percentile(all, share), 1)
  return {
    'create-run p50 ms': ms(times.create, 0.5),
    'create-run p99 ms': ms(times.create, 0.99),
    'set_state Running p50 ms': ms(times.running, 0.5),
    'set_state Running p99 ms': ms(times.running, 0.99),
    'set_state Completed p50 ms': ms(times.completed, 0.5),
    'set_state Completed p99 ms': ms(times.completed, 0.99),
    'flow runs/s, 16 clients': round(runsPerSecond, 1),
    'task-run events/s, rows visible': round(eventsPerSecond),
  }
}

async function runOnce(client: ApiClient, flowId: string, times?: Record<string, number[]>): Promise<void> {
  const timed = async <T>(name: string, call: () => Promise<T>): Promise<T> => {
    const began = performance.now()
    const answer = await call()
    times?.[name]?.push(performance.now() - began)
    return answer
  }
  const state = { type: 'PENDING', name: 'Pending', state_details: {} }
  const run = await timed('create', () =>
    client.call<{ id: string }>('POST', '/flow_runs/', { flow_id: flowId, name: null, parameters: { n: 5 }, state }),
  )
  const set = (type: string) => client.call('POST', `/flow_runs/${run.id}/set_state`, { state: { type }, force: false })
  await timed('running', () => set('RUNNING'))
  await timed('completed', () => set('COMPLETED'))
}
