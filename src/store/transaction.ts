import type { Pool, PoolClient } from 'pg'
import { cutAfter, GRACE_MS } from './silence.ts'

/**
 * A process that is frozen inside a transaction holds the rows that the next owner has to write; after so long without
 * a word from it Postgres ends it.
 */
const IDLE_MS = 3_000
/** One that is frozen in the middle of a COPY is busy as Postgres sees it: from 17 on there is a limit for that as well. */
const TRANSACTION_LIMIT_SINCE = 170_000
/** Beginning one asks nothing of Postgres that takes time, also where what follows may take any. */
const BEGIN_WITHIN_MS = 15_000

const versions = new WeakMap<Pool, Promise<number>>()

/** How long a transaction with such a limit for each statement may take until this side cuts its connection. */
export function transactionLimitMs(timeoutMs: number): number {
  return 2 * timeoutMs + GRACE_MS
}

/**
 * Runs statements in one transaction, bounded in time on both sides: Postgres ends what takes too long, and where nothing
 * is heard of Postgres any more the connection is cut, so that nobody waits for ever. All limits are the transaction's
 * own, so that a pooler may stand between.
 * @param timeoutMs most milliseconds for one statement; 0 for no limit
 */
export async function inTransaction<T>(
  pool: Pool,
  timeoutMs: number,
  run: (client: PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  const endWatch = cutAfter(client, timeoutMs > 0 ? transactionLimitMs(timeoutMs) : BEGIN_WITHIN_MS)
  try {
    await client.query(await beginStatement(pool, client, timeoutMs))
    if (timeoutMs === 0) endWatch()
    const result = await run(client)
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch((again: Error) => {
      broken = again
    })
    throw error
  } finally {
    endWatch()
    client.release(broken)
  }
}

async function beginStatement(pool: Pool, client: PoolClient, timeoutMs: number): Promise<string> {
  const limit = Math.floor(timeoutMs)
  const limits = [`statement_timeout = ${limit}`, `idle_in_transaction_session_timeout = ${IDLE_MS}`]
  if (limit > 0 && (await versionOf(pool, client)) >= TRANSACTION_LIMIT_SINCE)
    limits.push(`transaction_timeout = ${2 * limit}`)
  return ['begin', ...limits.map((setting) => `set local ${setting}`)].join('; ')
}

/** Asked once for a pool: a server is not upgraded under its connections. */
function versionOf(pool: Pool, client: PoolClient): Promise<number> {
  const known = versions.get(pool)
  if (known !== undefined) return known
  const asked = client
    .query<{ server_version_num: string }>('show server_version_num')
    .then(({ rows }) => Number(rows[0]?.server_version_num))
  versions.set(pool, asked)
  asked.catch(() => versions.delete(pool))
  return asked
}
