/** One upgrade at a time: the others wait and then find nothing to do. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Queryable } from '../checkpoint.ts'
import { withSession } from './session.ts'

/** Whoever upgrades the database just now. */
export interface UpgradeHolder {
  /** Of its connection's process in Postgres. */
  readonly pid: number
  /** Where it connects from; null for a socket on the same machine. */
  readonly address: string | null
  readonly forMs: number
}

export interface LockOptions {
  readonly signal?: AbortSignal
  /** Called once, if there is somebody to wait for. */
  readonly onWait?: (holder: UpgradeHolder | null) => void
}

/** Names our locks among those of other programs; any number, but always the same. */
const KEY = 0x6d696c6c
const POLL_MS = 250

/**
 * Runs while nobody else upgrades this schema. The lock belongs to a transaction on a connection of its own, so that it
 * holds through a pooler, and ends with this process in whatever way that dies. Whoever waits asks again and again rather
 * than inside Postgres: a statement that waits there has a snapshot, for whose end a concurrent index build would wait.
 * @param run gets a signal that is aborted when the lock is lost
 */
export async function withUpgradeLock<T>(
  url: string,
  { signal, onWait }: LockOptions,
  run: (lost: AbortSignal) => Promise<T>,
): Promise<T> {
  return withSession(url, async ({ client, lost }) => {
    for (let tries = 0; !(await tryLock(client)); tries++) {
      if (tries === 0) onWait?.(await holderOf(client))
      await sleep(POLL_MS, undefined, signal && { signal })
    }
    try {
      return await run(lost)
    } finally {
      await client.query('rollback').catch(() => {})
    }
  })
}

/** Takes the lock in a transaction that stays open, or leaves none behind. */
async function tryLock(client: Queryable): Promise<boolean> {
  await client.query('begin')
  await client.query(
    `select set_config(name, '0', true) from pg_settings
     where name in ('statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`,
  )
  const { rows } = await client.query<{ taken: boolean }>(
    `select pg_try_advisory_xact_lock(${KEY}, hashtext(current_schema())) as taken`,
  )
  if (rows[0]?.taken) return true
  await client.query('rollback')
  return false
}

/** Null when it has just finished. */
async function holderOf(client: Queryable): Promise<UpgradeHolder | null> {
  const { rows } = await client.query<UpgradeHolder>(
    `select pid, client_addr::text as address, extract(epoch from now() - xact_start)::float8 * 1000 as "forMs"
     from pg_locks join pg_stat_activity using (pid)
     where locktype = 'advisory' and granted and classid = ${KEY} and objsubid = 2
       and objid::int8 = hashtext(current_schema())::int8 & 4294967295
       and database = (select oid from pg_database where datname = current_database())`,
  )
  return rows[0] ?? null
}
