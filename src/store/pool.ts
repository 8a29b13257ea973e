/**
 * The connections to Postgres. They hold no session state and send no startup parameters but their name, so that
 * PgBouncer in transaction mode may stand between: timeouts are set in each transaction.
 */
import { Type } from '@sinclair/typebox'
import pg from 'pg'
import { createPool, type DatabasePool, type DatabaseTransactionConnection } from 'slonik'
import { RequestRefused } from '#src/errors.ts'
import type { Queryable } from './checkpoint.ts'
import { KEEP_ALIVE_AFTER_MS, promptly } from './silence.ts'
import { slonikDriver } from './slonik-driver.ts'
import { checkRows, row, sql } from './sql.ts'
import { storeError } from './unavailable.ts'

export interface StoreOptions {
  readonly url: string
  /** Most milliseconds for one statement of `read`; 0 for no limit. */
  readonly timeoutMs: number
  readonly connectTimeoutMs: number
  /** Most connections of each of the two pools. */
  readonly poolSize: number
}

/** Settings of Postgres for one transaction, such as `{ jit: 'off' }`. */
export type LocalSettings = Readonly<Record<string, string>>

export interface ReadOptions {
  /** Most milliseconds for one statement, if less than the store's. */
  readonly timeoutMs?: number
  readonly settings?: LocalSettings
}

export interface Store {
  /** For statements in slonik tags. No timeout: prefer `read`, or set one in the transaction. */
  readonly queries: DatabasePool
  /** For COPY, transactions and what may take long. No timeout. Its errors are pg's: pass them through `storeError`. */
  readonly hot: pg.Pool
  /** Single statements of `hot` that somebody waits for, each given up when nothing is heard of it. */
  readonly prompt: Queryable
  /** Runs in a read-only transaction. @throws StoreUnavailable also when a statement took too long */
  read<T>(run: (tx: DatabaseTransactionConnection) => Promise<T>, options?: ReadOptions): Promise<T>
  /** Settles once Postgres has answered a statement. @throws StoreUnavailable */
  ping(): Promise<void>
  /** Callers that wait for a connection; none waits for longer than a connection may take to be made. */
  readonly waiting: number
  /** Ends every connection; those in use when their work is done. */
  close(): Promise<void>
}

const IDLE_MS = 60_000
const Anything = row(Type.Unknown())

/** Makes the pools. Connects to nothing yet, so it works while Postgres is away. */
export async function createStore({ url, timeoutMs, connectTimeoutMs, poolSize }: StoreOptions): Promise<Store> {
  const config: pg.ClientConfig = {
    connectionString: url,
    application_name: 'millrace',
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
  }
  // The client gives up somewhat after the server should have: only a connection that hangs gets that far.
  const driver = slonikDriver({ ...config, ...(timeoutMs > 0 && { query_timeout: timeoutMs + connectTimeoutMs }) })
  const pool = await createPool(url, {
    driverFactory: driver,
    maxPoolSize: poolSize,
    idleTimeout: IDLE_MS,
    connectionRetryLimit: 0, // whoever asked tries again, knowing what it costs
    queryRetryLimit: 0,
    gracefulTerminationTimeout: 1_000,
    statementTimeout: 'DISABLE_TIMEOUT',
    idleInTransactionSessionTimeout: 'DISABLE_TIMEOUT',
    resetConnection: async () => {}, // there is no session state to discard, and it would be a round trip each time
    interceptors: [checkRows],
  })
  pool.on('error', () => {}) // whoever uses the connection is told
  const queries = mappingErrors(pool)
  const hot = new pg.Pool({ ...config, max: poolSize, idleTimeoutMillis: IDLE_MS })
  hot.on('error', () => {}) // an idle client's; the pool drops it
  hot.on('connect', (client) => client.on('error', () => {})) // a client in use between two statements: the next fails

  function read<T>(run: (tx: DatabaseTransactionConnection) => Promise<T>, options: ReadOptions = {}): Promise<T> {
    const limitMs = Math.ceil(shorter(options.timeoutMs ?? timeoutMs, timeoutMs))
    return queries.transaction(async (tx) => {
      await setLocal(tx, { ...options.settings, transaction_read_only: 'on', statement_timeout: String(limitMs) })
      return run(tx)
    })
  }

  return {
    queries,
    hot,
    prompt: promptly(hot, timeoutMs),
    read,
    ping: () => read(async (tx) => void (await tx.any(sql.type(Anything)`select 1`)), { timeoutMs: connectTimeoutMs }),
    get waiting() {
      return hot.waitingCount + pool.state().waitingClients
    },
    async close() {
      await Promise.all([queries.end(), hot.end()])
    },
  }
}

/** The shorter of two limits, of which 0, for none, is the longest. */
function shorter(one: number, other: number): number {
  return one === 0 || other === 0 ? Math.max(one, other) : Math.min(one, other)
}

async function setLocal(tx: DatabaseTransactionConnection, settings: LocalSettings): Promise<void> {
  const calls = Object.entries(settings).map(([name, value]) => sql.fragment`set_config(${name}, ${value}, true)`)
  await tx.any(sql.type(Anything)`select ${sql.join(calls, sql.fragment`, `)}`)
}

const METHODS = ['any', 'anyFirst', 'connect', 'exists', 'many', 'manyFirst', 'maybeOne', 'maybeOneFirst', 'one']
const ASYNC_METHODS = new Set<PropertyKey>([...METHODS, 'oneFirst', 'query', 'record', 'transaction'])

/** SQLSTATE for text with a NUL character among the values of a statement. Whoever asks has sent it. */
const NOT_OF_CHARACTERS = '22021'

/** The pool, with its rejections passed through `storeError`. A connection inside a transaction still throws slonik's. */
function mappingErrors(pool: DatabasePool): DatabasePool {
  return new Proxy(pool, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function' || !ASYNC_METHODS.has(name)) return member
      return async (...args: unknown[]) => {
        try {
          return await member.apply(target, args)
        } catch (error) {
          if ((error as { readonly code?: unknown }).code === NOT_OF_CHARACTERS)
            throw new RequestRefused('Text with a NUL character names nothing: none can be stored.', { cause: error })
          throw storeError(error)
        }
      }
    },
  })
}
