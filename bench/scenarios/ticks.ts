/**
 * Jobs that come every second, run by three processes: how late their runs begin, what an idle scheduler costs, and how long
 * a run waits whose process was killed. Beside it BullMQ's job schedulers on the same Redis, with their defaults.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { migrate } from '#src/store/migrate.ts'
import { emitCalls } from '../emit-call.ts'
import { median, percentile, round, type Scenario } from '../scenario.ts'
import { startBenchServers } from '../servers.ts'
import type { Begun, BenchJob } from '../tick-replica.ts'
import { usageOf } from '../usage.ts'

const JOBS = 1_000
const REPLICAS = 3
const EVERY_MS = 1_000
/** Left out at the beginning: until every job has run once, and so long. */
const WARM_MS = 3_000
const MOST_START_MS = 120_000
const LOOK_MS = 20
/** BullMQ looks every 30 s for jobs whose worker died. */
const MOST_RECOVERY_MS = 90_000

/** Redis does nothing else meanwhile. */
const MOST_CALL_MS = 10

const SYSTEMS = [
  { name: 'millrace', program: new URL('../tick-replica.ts', import.meta.url) },
  { name: 'bullmq', program: new URL('../peers/bullmq-replica.ts', import.meta.url) },
] as const
type System = (typeof SYSTEMS)[number]

export const ticks: Scenario = {
  name: 'ticks',
  title: '1,000 jobs every second by 3 processes: lateness, cost at rest, recovery; against BullMQ',
  async run({ quick, say }) {
    const rows: Record<string, string | number>[] = []
    const failures: string[] = []
    for (const system of SYSTEMS) {
      const spread = await lateness(system, quick, (i) => i % EVERY_MS)
      const burst = await lateness(system, quick, () => 0)
      for (const [how, { runs, due, doubled, latesMs, cpu }] of [
        ['spread', spread] as const,
        ['at once', burst] as const,
      ]) {
        say(`${system.name}, ${how}: ${runs} runs of ${due} due, ${doubled} twice`)
        if (system.name === 'millrace' && (runs < due || doubled > 0)) failures.push(`${how}: ${due - runs} not run`)
        rows.push({
          ...{
            system: system.name,
            what: `1,000 jobs/s, ${how}`,
            due,
            'run, %': round((100 * runs) / due, 1),
            twice: doubled,
          },
          ...{ 'p50 ms': round(median(latesMs), 1), 'p99 ms': round(percentile(latesMs, 0.99), 1) },
          'CPU % of a core': round(cpu * 100, 1),
        })
      }
      const idle = await idleCost(system, quick)
      rows.push({ system: system.name, what: '20 hourly jobs, at rest', 'CPU % of a core': round(idle * 100, 2) })
      const recoveries = await recovery(system, system.name === 'millrace' ? (quick ? 3 : 7) : 1)
      rows.push({
        system: system.name,
        what: 'run again after kill -9',
        'p50 ms': round(median(recoveries)),
        'p99 ms': round(Math.max(...recoveries)),
      })
    }
    const call = median(await calls())
    rows.push({ system: 'millrace', what: '1,000 due jobs in one call', 'p50 ms': round(call, 1) })
    if (call > MOST_CALL_MS) failures.push(`1,000 due jobs in one call: ${round(call, 1)} ms, of ${MOST_CALL_MS}`)
    return { rows, failures }
  },
}

async function calls(): Promise<number[]> {
  const servers = await startBenchServers()
  try {
    return await emitCalls(servers.redis.url)
  } finally {
    await servers.stop()
  }
}

interface Lateness {
  readonly due: number
  readonly runs: number
  readonly doubled: number
  readonly latesMs: readonly number[]
  /** Seconds of CPU for each second, of all replicas. */
  readonly cpu: number
}

async function lateness(system: System, quick: boolean, phaseOf: (i: number) => number): Promise<Lateness> {
  const anchorMs = Math.ceil(Date.now() / 1_000) * 1_000 + 3_000
  const jobs = Array.from({ length: JOBS }, (_, i) => job(`job-${i}`, EVERY_MS, anchorMs + phaseOf(i)))
  return withReplicas(system, REPLICAS, jobs, async ({ begun, replicas }) => {
    const ran = () => new Set(begun.map(({ job: name }) => name)).size
    if (!(await until(() => ran() === JOBS || undefined, MOST_START_MS)))
      throw new Error(`${system.name}: ${ran()} of ${JOBS} jobs had run after ${MOST_START_MS / 1_000} s`)
    const fromMs = Math.ceil((Date.now() + WARM_MS) / EVERY_MS) * EVERY_MS
    const untilMs = fromMs + (quick ? 8_000 : 20_000)
    await sleep(fromMs - Date.now())
    const cpuOf = () => replicas.reduce((sum, { pid }) => sum + usageOf(pid as number).cpuSeconds, 0)
    const [cpu, began] = [cpuOf(), performance.now()]
    await sleep(untilMs - Date.now())
    const used = (cpuOf() - cpu) / ((performance.now() - began) / 1_000)
    await sleep(3_000) // what is late
    const within = begun.filter(({ scheduledForMs: at }) => at >= fromMs && at < untilMs)
    const ids = new Set(within.map(({ job: name, scheduledForMs: at }) => `${name}@${at}`))
    return {
      due: JOBS * Math.floor((untilMs - fromMs) / EVERY_MS),
      runs: ids.size,
      doubled: within.length - ids.size,
      latesMs: within.map(({ scheduledForMs: at, atMs }) => atMs - at),
      cpu: used,
    }
  })
}

/** Seconds of CPU for each second, of one process. */
async function idleCost(system: System, quick: boolean): Promise<number> {
  const jobs = Array.from({ length: 20 }, (_, i) => job(`idle-${i}`, 3_600_000, Date.now() + 3_600_000))
  return withReplicas(system, 1, jobs, async ({ replicas: [replica] }) => {
    await sleep(10_000)
    const pid = replica?.pid as number
    const [cpu, began] = [usageOf(pid).cpuSeconds, performance.now()]
    await sleep(quick ? 15_000 : 40_000)
    return (usageOf(pid).cpuSeconds - cpu) / ((performance.now() - began) / 1_000)
  })
}

/** Milliseconds from the death of a process until what it ran is begun by another. */
async function recovery(system: System, times: number): Promise<number[]> {
  const found: number[] = []
  for (let i = 0; i < times; i++) {
    const jobs = [{ ...job('long', 5_000, Date.now()), runMs: 60_000 }]
    found.push(
      await withReplicas(system, REPLICAS, jobs, async ({ begun, replicas }) => {
        const first = await until(() => begun[0], 30_000)
        if (first === undefined) throw new Error(`${system.name}: no run began`)
        await sleep(300)
        replicas.find(({ pid }) => pid === first.pid)?.kill('SIGKILL')
        const killedMs = Date.now()
        const isSame = ({ scheduledForMs, pid }: Begun) => scheduledForMs === first.scheduledForMs && pid !== first.pid
        const again = await until(() => begun.find(isSame), MOST_RECOVERY_MS)
        return again === undefined ? MOST_RECOVERY_MS : again.atMs - killedMs
      }),
    )
  }
  return found
}

interface Running {
  readonly replicas: readonly ChildProcess[]
  /** Runs in the order in which they were told of. */
  readonly begun: readonly Begun[]
}

async function withReplicas<T>(
  { program }: System,
  count: number,
  jobs: readonly BenchJob[],
  use: (running: Running) => Promise<T>,
): Promise<T> {
  const servers = await startBenchServers()
  const replicas: ChildProcess[] = []
  const begun: Begun[] = []
  try {
    await migrate(servers.postgres.url, { timeoutMs: 0 })
    const args = [fileURLToPath(program), servers.redis.url, servers.postgres.url, JSON.stringify(jobs)]
    for (let i = 0; i < count; i++) {
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      createInterface({ input: child.stdout }).on('line', (line) => begun.push(JSON.parse(line) as Begun))
      replicas.push(child)
    }
    return await use({ replicas, begun })
  } finally {
    for (const child of replicas) await end(child)
    await servers.stop()
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

async function until<T>(look: () => T | undefined, withinMs: number): Promise<T | undefined> {
  for (const end = performance.now() + withinMs; performance.now() < end; await sleep(LOOK_MS)) {
    const found = look()
    if (found !== undefined) return found
  }
  return undefined
}

function job(name: string, everyMs: number, anchorMs: number): BenchJob {
  return { name, everyMs, anchorMs, runMs: 0 }
}
