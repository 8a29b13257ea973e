/**
 * What the commands need of the other rooms, and how they open them: each only when a command runs, since
 * `millrace --help` should not wait for the driver of Postgres.
 */
import type { Settings } from '../config.ts'
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
