import type { Pool } from 'pg'
import { LOCK_MS, untilLocked } from './brief-lock.ts'
import type { Queryable } from './checkpoint.ts'

const DAY_MS = 86_400_000
/** Days made before they are needed, beside today. */
export const DAYS_AHEAD = 2
const LOCK_WITHIN_MS = 3_000

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
    try {
      if (await makeDay(client, day)) made.push(dayTable(day))
    } finally {
      client.release()
    }
  }
  return made
}

/** Makes one, as `makeDayPartitions` does. False when it is there. */
export function makeDay(client: Queryable, day: number): Promise<boolean> {
  return untilLocked(() => tryDay(client, day), { withinMs: LOCK_WITHIN_MS })
}

async function tryDay(client: Queryable, day: number): Promise<boolean> {
  const table = dayTable(day)
  const from = `${isoDay(day)} 00:00:00+00`
  const to = `${isoDay(day + 1)} 00:00:00+00`
  try {
    if (await isAttached(client, table)) return false
    // Attaching an empty table takes a weaker lock on `event` than making a partition in place, which would stop ingest.
    await client.query(`begin; set local lock_timeout = ${LOCK_MS}`)
    await lockDayPartitions(client)
    const missing = !(await isAttached(client, table))
    if (missing) {
      await client.query(`
        create table ${table} (like event including defaults including constraints);
        with moved as (delete from event_default where occurred >= '${from}' and occurred < '${to}' returning *)
        insert into ${table} select * from moved;
        alter table event attach partition ${table} for values from ('${from}') to ('${to}')`)
    }
    await client.query('commit')
    return missing
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
