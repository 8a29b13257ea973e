/** What is kept of a day that leaves the log, in a table that will take the day's place. */
import type { Pool, PoolClient } from 'pg'
import { dayTable } from '../day-partitions.ts'
import { inTransaction } from '../transaction.ts'
import { isoDay } from './log-days.ts'

/** The copy's name, until it takes the day's. */
export function keptTable(day: number): string {
  return `${dayTable(day)}_kept`
}

/** Ahead of the exchange and in a transaction of its own, so that it may take as long as it takes. */
export async function copyKept(pool: Pool, day: number, kept: readonly string[]): Promise<void> {
  const copy = keptTable(day)
  await inTransaction(pool, 0, async (client) => {
    await client.query('select pg_advisory_xact_lock(hashtext($1))', [copy]) // one maker at a time: names are unique
    await client.query(`drop table if exists ${copy}`)
    await createCopy(client, day)
    await client.query(`insert into ${copy} select * from ${dayTable(day)} where event = any($1)`, [kept])
    await client.query(`analyze ${copy}`)
  })
}

/** What has come or changed since; the day's table is locked against writers by now. */
export async function completeCopy(client: PoolClient, day: number, kept: readonly string[]): Promise<void> {
  const copy = keptTable(day)
  const { rows } = await client.query<{ there: boolean }>('select to_regclass($1) is not null as there', [copy])
  if (!rows[0]?.there) await createCopy(client, day)
  await client.query(`delete from ${copy} where event <> all($1)`, [kept])
  await client.query(
    `insert into ${copy} select * from ${dayTable(day)} t where event = any($1)
       and not exists (select from ${copy} c where c.occurred = t.occurred and c.id = t.id)`,
    [kept],
  )
}

/** With the log's indexes, and with a check that saves Postgres from reading it through when it is attached. */
async function createCopy(client: PoolClient, day: number): Promise<void> {
  await client.query(
    `create table ${keptTable(day)} (like event including defaults including constraints including indexes,
       constraint in_its_day check (occurred >= '${isoDay(day)} 00:00:00+00' and occurred < '${isoDay(day + 1)} 00:00:00+00'))`,
  )
}

/** Removes copies that nobody exchanged: their maker died, or the log was busy for too long. Returns how many. */
export async function dropUnusedCopies(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ name: string }>(
    `select relname as name from pg_class
     where relkind = 'r' and relname ~ '^event_[0-9]{8}_kept$'
       and relnamespace = (select relnamespace from pg_class where oid = 'event'::regclass)`,
  )
  for (const { name } of rows) await pool.query(`drop table if exists ${name}`)
  return rows.length
}
