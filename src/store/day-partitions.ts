import type { Pool } from 'pg'

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
    const { rows } = await client.query<{ there: boolean }>('select to_regclass($1) is not null as there', [table])
    if (rows[0]?.there) return false
    // Attaching an empty table takes a weaker lock on `event` than making a partition in place, which would stop ingest.
    await client.query(
      `begin; set local lock_timeout = '${LOCK_TIMEOUT}'; select pg_advisory_xact_lock(hashtext('millrace day partitions'))`,
    )
    const again = await client.query<{ there: boolean }>('select to_regclass($1) is not null as there', [table])
    if (!again.rows[0]?.there) {
      await client.query(`
        create table ${table} (like event including defaults including constraints);
        with moved as (delete from event_default where occurred >= '${from}' and occurred < '${to}' returning *)
        insert into ${table} select * from moved;
        alter table event attach partition ${table} for values from ('${from}') to ('${to}')`)
    }
    await client.query('commit')
    return true
  } catch (error) {
    await client.query('rollback').catch(() => {})
    throw error
  } finally {
    client.release()
  }
}

function isoDay(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10)
}
