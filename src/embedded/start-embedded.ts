/** Starts what is needed of Postgres and Redis on one home, both at once. */
import { accessSync, chmodSync, constants, existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { HomeUnusable } from './errors.ts'
import { lockHome } from './home-lock.ts'
import { startPostgres } from './postgres.ts'
import { startRedis } from './redis.ts'
import type { EmbeddedServer } from './server.ts'

export interface EmbeddedOptions {
  /** Keeps the data between starts; made if missing. A path relative to the working directory is fine. */
  readonly home: string
  readonly need: { readonly redis: boolean; readonly postgres: boolean }
  /** Takes sentences for the person who started this: what is fetched, where the data is, what died and runs again. */
  readonly log?: (line: string) => void
}

/** Servers that answer. */
export interface Embedded {
  /** For ioredis; it holds the password. Null when not needed. */
  readonly redisUrl: string | null
  /** For pg, to a database that exists; it holds the password. Null when not needed. */
  readonly databaseUrl: string | null
  /** Of the processes that run now. */
  readonly pids: number[]
  /** Ends both cleanly and gives the home free; resolves when no process is left. Calling it again does no harm. */
  stop(): Promise<void>
}

/**
 * Resolves when all that is needed answers; after a failure nothing of it is left running.
 * @throws HomeInUse, HomeUnusable, ServerMissing, ServerTooOld, DataVersionMismatch, ServerStartFailed
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const home = prepareHome(resolve(options.home))
  const log = options.log ?? (() => {})
  const lock = lockHome(home)
  // A failure of one makes the other's start pointless; it may be waiting for a long log to load.
  const failure = new AbortController()
  const begin = async (
    needed: boolean,
    start: (options: { folder: string; log: (line: string) => void; signal: AbortSignal }) => Promise<EmbeddedServer>,
    folder: string,
  ): Promise<EmbeddedServer | null> => {
    if (!needed) return null
    try {
      return await start({ folder: join(home, folder), log, signal: failure.signal })
    } catch (error) {
      failure.abort(error)
      throw error
    }
  }
  const started = await Promise.allSettled([
    begin(options.need.redis, startRedis, 'redis'),
    begin(options.need.postgres, startPostgres, 'postgres'),
  ])
  const [redis, postgres] = started.map((result) => (result.status === 'fulfilled' ? result.value : null))
  const running = [redis, postgres].filter((server) => server !== null && server !== undefined)
  const end = async (): Promise<void> => {
    await Promise.all(running.map((server) => server.stop()))
    lock.release()
  }
  if (failure.signal.aborted) {
    await end()
    throw failure.signal.reason
  }
  let stopped: Promise<void> | null = null
  return {
    redisUrl: redis?.url ?? null,
    databaseUrl: postgres?.url ?? null,
    get pids() {
      return running.map((server) => server.pid)
    },
    stop() {
      stopped ??= end()
      return stopped
    },
  }
}

/** Root's Postgres runs as another user, who must be able to pass through; the folders inside are closed themselves. */
function prepareHome(home: string): string {
  try {
    if (!existsSync(home)) {
      mkdirSync(home, { recursive: true })
      chmodSync(home, process.getuid?.() === 0 ? 0o711 : 0o700) // not by mkdir: the umask would be taken off
    }
    accessSync(home, constants.W_OK | constants.X_OK)
    return home
  } catch (cause) {
    throw new HomeUnusable(`${home} can't be written to: make it writable, or set MILLRACE_HOME to another folder.`, {
      cause,
    })
  }
}
