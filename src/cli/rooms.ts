/**
 * What the commands need of the other rooms, and how they open them: each only when a command runs, since
 * `millrace --help` should not wait for the driver of Postgres.
 */
import type { LoadedSettings, Settings } from '../config.ts'
import type { Log } from '../log.ts'

/** What `server start` and `services start` begin. */
export interface RunningServer {
  /** Where the API is; null without one. */
  readonly url: string | null
  /** What to print: the URL, a request to try, where the data is. */
  readonly lines: readonly string[]
  /** Stops in order and leaves no process behind. */
  stop(): Promise<void>
}

/** The composition root. */
export interface AppRoom {
  startServer(options: {
    readonly settings: Settings
    readonly sources?: LoadedSettings['sources']
    readonly log: Log
    readonly withApi: boolean
    readonly withServices: boolean
  }): Promise<RunningServer>
}

/** Opens the composition root, and with it everything. */
export const loadApp = (): Promise<AppRoom> => import('#src/app.ts')

/** Opens the migrations. */
export const loadMigrations = () => import('#src/store/migrate.ts')

/** Opens the list of services. */
export const loadServices = () => import('#src/services/index.ts')

/** Opens the schedules. */
export const loadScheduler = () => import('#src/scheduler/index.ts')

/** Opens the doctor. */
export const loadDoctor = () => import('#src/doctor/index.ts')

/** Opens what rebuilds need: the rebuilds, the store, the projections and the archive. */
export const loadRebuilds = async () => ({
  ...(await import('#src/rebuild/index.ts')),
  ...(await import('#src/store/pool.ts')),
  ...(await import('#src/store/unavailable.ts')),
  ...(await import('#src/store/rebuild/job.ts')),
  ...(await import('#src/store/rebuild/letter-places.ts')),
  ...(await import('#src/store/log-read.ts')),
  ...(await import('#src/store/transaction.ts')),
  ...(await import('#src/consumer/load-projections.ts')),
  ...(await import('#src/archive/index.ts')),
})
