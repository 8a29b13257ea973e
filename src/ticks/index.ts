/**
 * Ticks: every due (job, instant) is decided exactly once and leaves a row that says how. Three parts, each safe by itself:
 * the emitter (Redis) brings ticks fast, the ledger (Postgres) decides who runs one, the auditor closes gaps. Any number of
 * processes run all of them, and none leads.
 */
import pg from 'pg'
import type { TickStream } from '#src/bus/ticks.ts'
import type { Log } from '#src/log.ts'
import type { Metrics } from '#src/metrics.ts'
import { newProcessName } from '#src/process-name.ts'
import { KEEP_ALIVE_AFTER_MS } from '#src/store/silence.ts'
import { startAuditor } from './auditor.ts'
import { createCatalog } from './catalog.ts'
import { createDatabaseClock } from './database-clock.ts'
import { startEmitter } from './emitter.ts'
import { checkJob, type Job } from './job.ts'
import type { Loop } from './loop.ts'
import { startRegistrar } from './registrar.ts'
import { startRunner } from './runner.ts'
import { type BehindJob, startWatch } from './watch.ts'

export { type Counts, checkJob, type Job, type Tick } from './job.ts'
export { type Loop, startLoop } from './loop.ts'
export type { BehindJob } from './watch.ts'

export interface TicksOptions {
  readonly jobs: readonly Job[]
  readonly release: string
  readonly stream: TickStream
  /** The scheduler's own connections; ended by whoever made them. */
  readonly pool: pg.Pool
  /** Where the transactions of runs take theirs from. */
  readonly runPool: pg.Pool
  /** Most milliseconds for one statement of a run's transaction. */
  readonly timeoutMs: number
  readonly log: Log
  readonly metrics: Metrics
}

export interface RunningTicks {
  /** This process's name in the ledger. */
  readonly owner: string
  /** What keeps ticks from being decided, in words; null when nothing does. */
  trouble(): string | null
  /** Jobs that are behind, and why. */
  behind(): readonly BehindJob[]
  /** Looks at once for ticks that wait in the ledger. */
  look(): void
  /** Lets what runs end, and hands over what doesn't. */
  stop(): Promise<void>
}

/** Two claims, outcomes, leases and an audit at a time; a run's transaction is none of them. */
const CONNECTIONS = 5

/** A pool for the scheduler alone, so that no long run keeps a lease from being renewed. */
export function createTickPool(url: string, connectTimeoutMs: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'millrace-ticks',
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    max: CONNECTIONS,
  })
  pool.on('error', () => {}) // an idle client's; the pool drops it
  pool.on('connect', (client) => client.on('error', () => {})) // one in use: its next statement fails
  return pool
}

/** Starts emitting, running and auditing. @throws ScheduleInvalid for a job whose schedule can't be */
export function startTicks({
  jobs: given,
  release,
  stream,
  pool,
  runPool,
  timeoutMs,
  log,
  metrics,
}: TicksOptions): RunningTicks {
  const jobs = new Map(given.map((job) => [job.name, checkJob(job)]))
  const owner = newProcessName()
  const catalog = createCatalog(pool)
  const clock = createDatabaseClock(pool)

  const emitter = startEmitter({
    ...{ stream, catalog, clock, log },
    onTrouble: () => auditor.wake(),
    onEmit: (emitted) => metrics.ticksEmitted.inc(emitted),
    onSkew: (aheadMs) => metrics.clockSkew.set({ clock: 'redis' }, aheadMs / 1_000),
  })
  const runner = startRunner({
    ...{ owner, jobs, catalog, stream, clock, pool, runPool, timeoutMs, log },
    onTrouble: () => auditor.wake(),
    notes: {
      decided(job, outcome, lateMs) {
        metrics.ticksDecided.inc({ job, outcome })
        if (outcome === 'done') metrics.tickLateness.observe({ job }, Math.max(0, lateMs) / 1_000)
      },
      suppressed: (cause, count) => metrics.ticksSuppressed.inc({ cause }, count),
      fenced: (count) => metrics.ticksFenced.inc(count),
    },
  })
  const auditor = startAuditor({
    catalog,
    pool,
    log,
    isRedisThere: () => emitter.trouble() === null,
    onRound: (alone) => metrics.ticksWithoutRedis.set(alone ? 1 : 0),
    onClosed(opened, skipped) {
      metrics.tickGaps.inc({ how: 'opened' }, opened)
      metrics.tickGaps.inc({ how: 'skipped' }, skipped)
      runner.look()
    },
  })
  const registrar = startRegistrar({
    ...{ owner, release, jobs, catalog, clock, pool, log },
    onChange() {
      emitter.wake()
      auditor.wake()
    },
    onSkew: (aheadMs) => metrics.clockSkew.set({ clock: 'postgres' }, aheadMs / 1_000),
  })
  const watch = startWatch(catalog, jobs, pool, metrics, log)
  const loops: readonly Loop[] = [emitter, auditor, registrar, watch.loop, ...runner.loops]
  const unwatch = metrics.queues.watch('ticks', () => ({ items: runner.inHand().length }))

  return {
    owner,
    trouble: () => loops.map((loop) => loop.trouble()).find((trouble) => trouble !== null) ?? null,
    behind: () => watch.behind(),
    look: () => runner.look(),
    async stop() {
      await Promise.all([emitter.stop(), auditor.stop(), watch.loop.stop(), runner.stop()])
      await registrar.stop()
      unwatch()
    },
  }
}
