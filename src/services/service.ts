import type { Pool } from 'pg'
import type { Bus } from '#src/bus/index.ts'
import type { TickStream } from '#src/bus/ticks.ts'
import type { Settings } from '#src/config.ts'
import type { Projection } from '#src/consumer/projection.ts'
import type { Log } from '#src/log.ts'
import type { Metrics } from '#src/metrics.ts'
import type { Commands } from '#src/orchestration/index.ts'
import type { JobPolicy, ScheduleSpec } from '#src/scheduler/index.ts'
import type { Store } from '#src/store/pool.ts'
import { storeError } from '#src/store/unavailable.ts'
import type { Counts, Job, Tick } from '#src/ticks/index.ts'

/** What there is to say about a service. */
export interface ServiceDescription {
  /** Its lasting name. */
  readonly name: string
  /** What it does, in a few words. */
  readonly title: string
  /** What it does and what happens without it, in sentences. */
  readonly description: string
  /** The path of its switch in the settings. */
  readonly setting: string
  /** The switch's name in the environment. */
  readonly environment: string
}

/** What a service gets to work with. */
export interface ServiceContext {
  readonly settings: Settings
  readonly log: Log
  readonly metrics: Metrics
  readonly bus: Bus
  readonly pool: Pool
  /** By which services change what commands are for, as routes do. */
  readonly commands: Commands
  /** All projections; see `consumer/load-projections.ts`. */
  readonly projections: readonly Projection[]
  readonly nowMs: () => number
}

/** What a job gets besides. Its `nowMs` is by the clock of Postgres: what it decides does not depend on who runs it. */
export interface JobContext extends ServiceContext {
  readonly store: Store
  readonly tickStream: TickStream
}

export interface RunningService {
  /** What stops it, in words; null when nothing does. */
  trouble(): string | null
  /** Finishes what is under way. */
  stop(): Promise<void>
}

/** A background service: any number of processes may run it. */
export interface Service extends ServiceDescription {
  isOn(settings: Settings): boolean
  start(context: ServiceContext): RunningService
}

/** A service that is a job: one process runs each of its ticks, any process may. */
export interface JobService extends ServiceDescription {
  isOn(settings: Settings): boolean
  readonly schedule: ScheduleSpec
  /** What differs from the defaults of `scheduler/policy.ts`. */
  readonly policy?: Partial<JobPolicy>
  /**
   * One run: bounded work, which heeds `tick.signal` and does no harm when done twice; what must happen exactly once goes
   * into `tick.commit`. Returns what it did: the ledger keeps it, the log shows what is not zero.
   */
  run(context: JobContext, tick: Tick): Promise<Counts>
  /** Sets gauges from what the latest run says, in every process, whichever ran it. */
  report?(metrics: Metrics, result: Counts): void
}

/** Names what a background job is. Its latest instant is due at once when it is new, so that nobody waits for its first run. */
export function defineService(service: JobService): JobService {
  return service
}

/** The job that the scheduler runs. */
export function jobOf(service: JobService, context: JobContext): Job {
  const { name, schedule, policy = {} } = service
  const run = (tick: Tick) =>
    service.run({ ...context, nowMs: tick.nowMs }, tick).catch((error: unknown) => {
      throw storeError(error) // pg's own, of `context.pool`: an attempt that Postgres' absence ended does not count
    })
  return { name, schedule, policy, startsAtOnce: true, run }
}
