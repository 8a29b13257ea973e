/**
 * A day becomes a partition of the log. Postgres has to know that the default partition holds none of its events, and by
 * itself reads that through, with readers and writers of the log kept out. Where it is large it is told so by a check that
 * was made sure of before: a guard.
 */
import { EXCHANGE_MS, untilLocked } from './brief-lock.ts'
import type { Queryable } from './checkpoint.ts'

/** A partition that is to be made. */
export interface NewDay {
  readonly table: string
  readonly from: string
  readonly to: string
}

/** So much is read well within what may be done under a lock, from a slow disk as well. */
const READ_BYTES = 16 * 1024 * 1024
const ATTACH_WITHIN_MS = 20_000
const GUARD = 'holds_none_of_'

/** Whether the default partition is too large to be read under a lock. */
export async function isLarge(client: Queryable): Promise<boolean> {
  const { rows } = await client.query<{ bytes: number }>(`select pg_relation_size('event_default')::float8 as bytes`)
  return (rows[0]?.bytes ?? 0) > READ_BYTES
}

/**
 * Makes the table, moves the day's events into it and attaches it, in a transaction that is under way: all at once as
 * others see it. The lock comes last, in one message with the commit, and is waited for again without moving them anew.
 */
export async function attachDay(client: Queryable, day: NewDay, guarded: boolean): Promise<void> {
  const { table, from, to } = day
  const within = `occurred >= '${from}' and occurred < '${to}'`
  await client.query(`
    create table ${table} (like event including defaults including constraints including indexes,
      constraint in_its_day check (${within}));
    with moved as (delete from event_default where ${within} returning *) insert into ${table} select * from moved`)
  if (guarded) await client.query(`alter table event_default validate constraint ${guardOf(day)}`) // keeps nobody out
  const changes = [
    `alter table event attach partition ${table} for values from ('${from}') to ('${to}')`,
    `alter table ${table} drop constraint in_its_day`,
    ...(guarded ? [`alter table event_default drop constraint ${guardOf(day)}`] : []),
  ]
  await client.query('savepoint attaching')
  await untilLocked(
    async () => {
      try {
        await client.query(
          `set local statement_timeout = ${EXCHANGE_MS}; do $$ begin ${changes.join('; ')}; end $$; commit`,
        )
      } catch (error) {
        await client.query('rollback to savepoint attaching')
        throw error
      }
    },
    { withinMs: ATTACH_WITHIN_MS },
  )
}

/** What keeps events of a day out of the default partition: the writer tries again, and finds the day made. */
export function guardOf({ table }: Pick<NewDay, 'table'>): string {
  return `${GUARD}${table}`
}

/** Those that are there. Whoever has the right to make days need not fear that somebody alive still needs them. */
export async function readGuards(client: Queryable): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select conname as name from pg_constraint where conrelid = 'event_default'::regclass and starts_with(conname, $1)`,
    [GUARD],
  )
  return rows.map(({ name }) => name)
}

/** Removes what others have left behind when they died, and sets one for a day. It counts for what is written from then on. */
export async function setGuards(client: Queryable, left: readonly string[], day: NewDay | null): Promise<void> {
  const changes = left.map((guard) => `drop constraint if exists ${guard}`)
  if (day !== null) {
    const { from, to } = day
    if (!left.includes(guardOf(day))) changes.push(`drop constraint if exists ${guardOf(day)}`)
    changes.push(`add constraint ${guardOf(day)} check (not (occurred >= '${from}' and occurred < '${to}')) not valid`)
  }
  await client.query(`alter table event_default ${changes.join(', ')}`)
}
