import type { Pool, PoolClient } from 'pg'

const DAY_MS = 86_400_000
/** Days made before they are needed, beside today. */
export const DAYS_AHEAD = 2
const LOCK_TIMEOUT = '3s'

/** The table that holds the events of a day (days since the epoch, UTC). */
export function dayTable(day: number): string {
  return `event_${isoDay(day).replaceAll('-', '')}`
}

/** Today, in days since the epoch. */
export function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS)
}

/**
 * Makes the partitions of days, those that are missing, each in a short transaction. Rows that came before their
 * partition are moved out of the default one. Returns the names of the tables made.
 */
export async function makeDayPartitions(pool: Pool, days: Iterable<number>): Promise<string[]> {
  const made: string[] = []
  for (const day of days) if (await makeDay(pool, day)) made.push(dayTable(day))
  return made
}

async function makeDay(pool: Pool, day: number): Promise<boolean> {
  const table = dayTable(day)
  const from = `${isoDay(day)} 00:00:00+00`
  const to = `${isoDay(day + 1)} 00:00:00+00`
  const client = await pool.connect()
  try {
    if (await isAttached(client, table)) return false
    // Attaching an empty table takes a weaker lock on `event` than making a partition in place, which would stop ingest.
    await client.query(
      `begin; set local lock_timeout = '${LOCK_TIMEOUT}'; select pg_advisory_xact_lock(hashtext('millrace day partitions'))`,
    )
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
  } finally {
    client.release()
  }
}

/**
 * Looked up in the catalogue, not by `to_regclass`: that may still answer from a cache what was true before the lock was
 * waited for (seen: two processes making one day).
 */
async function isAttached(client: PoolClient, table: string): Promise<boolean> {
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
