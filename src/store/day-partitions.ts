import type { Pool } from 'pg'
import { attachDay, guardOf, isLarge, readGuards, setGuards } from './attach-day.ts'
import { isBusy, LOCK_MS, untilLocked } from './brief-lock.ts'
import type { Queryable } from './checkpoint.ts'
import { cutAfter } from './silence.ts'

const DAY_MS = 86_400_000
/** Days made before they are needed, beside today. */
export const DAYS_AHEAD = 2
const LOCK_WITHIN_MS = 3_000
/** A process that is frozen must not keep others from making days. */
const IDLE_MS = 10_000
/** Reading through a large default partition is slow; a Postgres that says nothing for so long does something else. */
const SILENT_MS = 300_000
/** Then it is made the way that can't fail for what others write meanwhile. */
const PLAIN_ATTEMPTS = 3

/** The table that holds the events of a day (days since the epoch, UTC). */
export function dayTable(day: number): string {
  return `event_${isoDay(day).replaceAll('-', '')}`
}

/** Today, in days since the epoch. */
export function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS)
}

/**
 * Makes the partitions of days, those that are missing, each in a short transaction that waits for locks only briefly.
 * Rows that came before their partition are moved out of the default one. Returns the names of the tables made.
 */
export async function makeDayPartitions(pool: Pool, days: Iterable<number>): Promise<string[]> {
  const made: string[] = []
  for (const day of days) {
    const client = await pool.connect()
    const endWatch = cutAfter(client, SILENT_MS)
    try {
      if (await makeDay(client, day)) made.push(dayTable(day))
    } finally {
      endWatch()
      client.release()
    }
  }
  return made
}

/** Makes one, as `makeDayPartitions` does. False when it is there. */
export function makeDay(client: Queryable, day: number): Promise<boolean> {
  return untilLocked((attempts) => tryDay(client, day, attempts), { withinMs: LOCK_WITHIN_MS, isPassing })
}

/** Others wrote events of the day into the default partition just then, or took our guard for a dead process's. */
const RACED = new Set(['23514', '42704'])

function isPassing(error: unknown): boolean {
  return isBusy(error) || RACED.has((error as { code?: string }).code ?? '')
}

async function tryDay(client: Queryable, day: number, attempts: number): Promise<boolean> {
  const made = { table: dayTable(day), from: `${isoDay(day)} 00:00:00+00`, to: `${isoDay(day + 1)} 00:00:00+00` }
  const [guards, isThere] = [await readGuards(client), await isAttached(client, made.table)]
  const guarded = !isThere && (attempts > PLAIN_ATTEMPTS || (await isLarge(client)))
  if (guards.length > 0 || guarded) await inOrder(client, () => setGuards(client, guards, guarded ? made : null))
  if (isThere) return false
  try {
    return await inOrder(client, async () => {
      if (await isAttached(client, made.table)) return false
      await attachDay(client, made, guarded)
      return true
    })
  } catch (error) {
    if (guarded) await inOrder(client, () => setGuards(client, [guardOf(made)], null)).catch(() => {})
    throw error
  }
}

/** In a transaction of which there is one at a time, and which waits for locks only briefly. */
async function inOrder<T>(client: Queryable, work: () => Promise<T>): Promise<T> {
  try {
    const limits = `set local lock_timeout = ${LOCK_MS}; set local idle_in_transaction_session_timeout = ${IDLE_MS}`
    await client.query(`begin; ${limits}; set local synchronous_commit = off`) // no disk is waited for under a lock
    await lockDayPartitions(client)
    const result = await work()
    await client.query('commit') // harmless where the work has done it
    return result
  } catch (error) {
    await client.query('rollback').catch(() => {})
    throw error
  }
}

/** Waits until nobody else makes or removes days, and keeps others from it until the transaction ends. */
export async function lockDayPartitions(client: Queryable): Promise<void> {
  await client.query(`select pg_advisory_xact_lock(hashtext('millrace day partitions'))`)
}

/**
 * Whether a table is one of the log's. Looked up in the catalogue, not by `to_regclass`: that may still answer from a
 * cache what was true before the lock was waited for (seen: two processes making one day).
 */
export async function isAttached(client: Queryable, table: string): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(
    `select exists (select from pg_inherits join pg_class on pg_class.oid = inhrelid
       where inhparent = 'event'::regclass and relname = $1) as there`,
    [table],
  )
  return rows[0]?.there ?? false
}

function isoDay(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10)
}
