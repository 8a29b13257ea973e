/**
 * What becomes of a Postgres that says nothing: the connection stands, the server takes what it is sent, and no answer ever
 * comes. Postgres' own limits can't help there, so this side has one as well.
 */
import type { Socket } from 'node:net'
import type { Pool, PoolClient, QueryConfig } from 'pg'
import type { Queryable } from './checkpoint.ts'

/** How much longer than Postgres' own limits this side waits before it takes the connection for dead. */
export const GRACE_MS = 5_000
/** A connection on which nothing is heard for so long is asked by the kernel whether the other end still is there. */
export const KEEP_ALIVE_AFTER_MS = 10_000

/**
 * Cuts a connection after so long: whoever waits on it is told then. pg's client has no other way to give one up.
 * @returns ends the watch
 */
export function cutAfter(client: PoolClient, ms: number): () => void {
  const { connection } = client as PoolClient & { readonly connection?: { readonly stream?: Socket } }
  const timer = setTimeout(() => {
    connection?.stream?.destroy(new Error('Postgres said nothing for too long: connection terminated'))
  }, ms)
  return () => clearTimeout(timer)
}

/**
 * A pool's single statements, each given up somewhat after Postgres should have answered it. For what somebody waits for:
 * not for statements that may take long.
 * @param timeoutMs most milliseconds for one statement; 0 for no limit
 */
export function promptly(pool: Pool, timeoutMs: number): Queryable {
  if (timeoutMs === 0) return pool
  const query = (text: string, values?: unknown[]) => {
    const config: QueryConfig & { readonly query_timeout: number } = {
      text,
      query_timeout: timeoutMs + GRACE_MS,
      ...(values && { values }),
    }
    return pool.query(config)
  }
  return { query } as Queryable
}
