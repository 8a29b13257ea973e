/** One scheduler, put together as `app.ts` does it: for tests, and for processes of tests and benchmarks. */
import pg from 'pg'
import { type Client, connect, ready } from '#src/bus/connection.ts'
import type { Keys } from '#src/bus/keys.ts'
import { createTickStream } from '#src/bus/ticks.ts'
import type { Log } from '#src/log.ts'
import { createMetrics, type Metrics } from '#src/metrics.ts'
import { createTickPool, type Job, type RunningTicks, startTicks } from '#src/ticks/index.ts'

export interface SchedulerNeeds {
  readonly redisUrl: string
  readonly databaseUrl: string
  readonly keys: Keys
  /** For the transactions of runs; ended by whoever made it. */
  readonly runPool: pg.Pool
  readonly release: string
  readonly log: Log
}

export interface Scheduler extends RunningTicks {
  readonly metrics: Metrics
  /** Cuts its connections first, as the death of a process does. */
  die(): Promise<void>
}

/** Without Redis it starts all the same. */
export async function startScheduler(needs: SchedulerNeeds, jobs: readonly Job[]): Promise<Scheduler> {
  const { redisUrl, databaseUrl, keys, runPool, release, log } = needs
  const clients = ['ticks', 'tick-reader'].map((use) => connect({ url: redisUrl }, use, log))
  const [writing, reading] = clients as [Client, Client]
  await Promise.all(clients.map((client) => ready(client, 1_000))).catch(() => {})
  const pool = createTickPool(databaseUrl, 5_000)
  const metrics = createMetrics({ defaults: false })
  const stream = createTickStream(writing, reading, keys)
  const ticks = startTicks({ jobs, release, stream, pool, runPool, timeoutMs: 5_000, log, metrics })
  const disconnect = async () => {
    for (const client of clients) client.disconnect()
    await pool.end()
  }
  let ended: Promise<void> | null = null
  const end = (how: () => Promise<void>) => {
    ended ??= how()
    return ended
  }
  return {
    ...ticks,
    metrics,
    stop: () => end(() => ticks.stop().then(disconnect)),
    die: () => end(() => disconnect().then(() => ticks.stop())),
  }
}

/** The scheduler of a whole process, which ends in order when it is told to. */
export async function runScheduler(needs: Omit<SchedulerNeeds, 'runPool'>, jobs: readonly Job[]): Promise<void> {
  const runPool = new pg.Pool({ connectionString: needs.databaseUrl, max: 10, connectionTimeoutMillis: 5_000 })
  runPool.on('error', () => {})
  runPool.on('connect', (client) => client.on('error', () => {}))
  const scheduler = await startScheduler({ ...needs, runPool }, jobs)
  process.on('SIGTERM', async () => {
    await scheduler.stop()
    await runPool.end()
    process.exit(0)
  })
}
