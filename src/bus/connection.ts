import { readFileSync } from 'node:fs'
import { Redis, type RedisOptions } from 'ioredis'
import { AppError, BusUnavailable } from '#src/errors.ts'
import type { Log } from '#src/log.ts'

/** How to reach Redis. */
export interface BusAddress {
  /** `redis://` or `rediss://`, with user, password and database number where they are needed. */
  readonly url: string
  /** File of the certificate authority that signed the server's certificate, for `rediss://`. */
  readonly tlsCaFile?: string | null
}

const LONGEST_WAIT_MS = 1_000
const COMMAND_TIMEOUT_MS = 10_000
const CONNECT_TIMEOUT_MS = 5_000

/**
 * One connection. It reconnects by itself for ever; while it is away commands fail at once, and none is sent a second
 * time behind the caller's back, since an append that was cut off may have been done.
 * @param use names the connection in `CLIENT LIST` and in the log
 * @param timeoutMs most time for one answer; a blocking reader gives its own
 */
export function connect(address: BusAddress, use: string, log: Log, timeoutMs = COMMAND_TIMEOUT_MS): Redis {
  const options: RedisOptions = {
    connectionName: `millrace-${use}`,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: timeoutMs,
    keepAlive: 10_000,
    retryStrategy: (attempt) => Math.min(LONGEST_WAIT_MS, 20 * 2 ** Math.min(attempt, 6)) * (0.75 + Math.random() / 2),
    // A primary that became a replica answers READONLY: connect anew, to whoever is the primary now.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  }
  if (address.tlsCaFile) options.tls = { ca: readFileSync(address.tlsCaFile) }
  const redis = new Redis(address.url, options)
  let away = false
  redis.on('error', (error: Error) => {
    if (!away) log.warn({ connection: use, reason: error.message }, 'Redis is away; reconnecting until it is back')
    away = true
  })
  redis.on('ready', () => {
    if (away) log.info({ connection: use }, 'Redis is back')
    away = false
  })
  return redis
}

/**
 * Waits until a new connection is usable.
 * @throws BusUnavailable when it isn't within `withinMs`
 */
export async function ready(redis: Redis, withinMs: number): Promise<void> {
  if (redis.status === 'ready') return
  const last: { error?: Error } = {}
  const remember = (error: Error) => {
    last.error = error
  }
  redis.on('error', remember)
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new BusUnavailable(notThere(redis, last.error), { cause: last.error })),
        withinMs,
      )
      redis.once('ready', () => {
        clearTimeout(timer)
        resolve()
      })
    })
  } finally {
    redis.off('error', remember)
  }
}

/** Gives a failure of ioredis as ours. Whatever Redis or its connection says means: back off and try again. */
export function asBusError(error: unknown): AppError {
  if (error instanceof AppError) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new BusUnavailable(`Redis did not take it (${reason}); try again in a moment.`, { cause: error })
}

function notThere(redis: Redis, error: Error | undefined): string {
  const { host, port, path } = redis.options
  return `No Redis answers at ${path ?? `${host}:${port}`} (${error?.message ?? 'no answer'}): start it, or correct MILLRACE_REDIS_URL.`
}
