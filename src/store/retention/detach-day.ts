/**
 * A day leaves the log: its table is exchanged for one with what is kept of it, or for none, in one short transaction,
 * and dropped afterwards, when no query can see it any more (docs/decisions/0028).
 */
import type { Pool, PoolClient } from 'pg'
import { EXCHANGE_MS, isBusy, LOCK_MS, untilLocked } from '../brief-lock.ts'
import { dayTable, isAttached, lockDayPartitions } from '../day-partitions.ts'
import { inTransaction } from '../transaction.ts'
import { estimatedRows } from './estimate.ts'
import { isHeld, keepRebuildsOut } from './held-day.ts'
import { completeCopy, copyKept, keptTable } from './kept-copy.ts'
import { isoDay, namesIn, occurredIn, standingBefore } from './log-days.ts'

/** A day's rows in a table of their own, which no query sees and nobody writes into. */
export interface DetachedDay {
  readonly day: number
  readonly generation: number
  readonly table: string
  /** Canonical instant, to the microsecond. */
  readonly detachedAt: string
  /** Names that stayed in the log: their events are still in this table, and don't count. */
  readonly kept: readonly string[]
  /** Estimated. */
  readonly events: number
  readonly bytes: number
  readonly oldest: string | null
  readonly newest: string | null
}

/** What the archive has of a day. */
export interface Archived {
  /** URL of the manifest. */
  readonly where: string
  readonly events: number
}

/** What became of it; if nothing: nothing leaves, others used the log all the time, or another run is at the same day. */
export type Detachment =
  | { readonly done: true; readonly detached: DetachedDay; readonly attempts: number }
  | { readonly done: false; readonly reason: 'nothing' | 'busy' | 'raced' }

export interface DetachOptions {
  /** Of the names of the day's events those that stay in the log. */
  readonly keptOf: (names: readonly string[]) => readonly string[]
  /** How long to go on trying while the log is in use. */
  readonly withinMs: number
  readonly signal?: AbortSignal
  /** Told of each attempt how long it locked the log or waited for that: those in vain kept others waiting as well. */
  readonly onLocked?: (lockedMs: number) => void
}

/** Bounds what is done before the lock on the log: only a straggler of that very day waits for it. */
const TRANSACTION_MS = 30_000
/** A table is gone, or there already, that was not a moment ago. */
const RACED = new Set(['42P01', '42P07', '23505'])

/** Detaches what leaves of a day. May be called by several at once, and again after any crash. */
export async function detachDay(pool: Pool, day: number, options: DetachOptions): Promise<Detachment> {
  try {
    const names = await namesIn(pool, dayTable(day))
    const kept = options.keptOf(names)
    if (names.length > 0 && kept.length === names.length) return { done: false, reason: 'nothing' }
    if (kept.length > 0) await copyKept(pool, day, kept)
    const swapOnce = async (attempts: number) => {
      const detached = await swap(pool, day, options)
      return detached && { done: true as const, detached, attempts }
    }
    return (await untilLocked(swapOnce, options)) ?? { done: false, reason: 'nothing' }
  } catch (error) {
    if (isBusy(error)) return { done: false, reason: 'busy' }
    if (RACED.has((error as { code?: string }).code ?? '')) return { done: false, reason: 'raced' }
    throw error
  }
}

/** What became of a day's table: another process may have been faster, or somebody who took it before still reads it. */
export type Dropping = 'dropped' | 'raced' | 'busy'

/** Drops a detached day, and notes in the same transaction where it was archived and how many events it really had. */
export async function dropDetached(
  pool: Pool,
  { day, generation, table }: DetachedDay,
  archived: Archived | null,
  { withinMs, signal }: Pick<DetachOptions, 'withinMs' | 'signal'>,
): Promise<Dropping> {
  const dropOnce = () =>
    inTransaction(pool, 0, async (client): Promise<Dropping> => {
      await client.query(`set local lock_timeout = ${LOCK_MS}`)
      const { rowCount } = await client.query(
        `update pruned_day set state = 'dropped', dropped_at = now(), archive = $3, event_count = coalesce($4, event_count)
       where day = date '1970-01-01' + $1::int4 and generation = $2 and state <> 'dropped'`,
        [day, generation, archived?.where ?? null, archived?.events ?? null],
      )
      if (rowCount === 1) await client.query(`drop table ${table}`)
      return rowCount === 1 ? 'dropped' : 'raced'
    })
  try {
    return await untilLocked(dropOnce, { withinMs, signal })
  } catch (error) {
    if (isBusy(error)) return 'busy'
    throw error
  }
}

/** Days that are detached and not dropped yet, the oldest first. */
export async function detachedDays(db: Pick<PoolClient, 'query'>): Promise<DetachedDay[]> {
  const iso = (column: string, as = column) => `${instant(column)} as "${as}"`
  const { rows } = await db.query<Omit<DetachedDay, 'table'>>(
    `select (day - date '1970-01-01')::int4 as day, generation, kept, event_count::float8 as events, bytes::float8 as bytes,
       ${iso('oldest')}, ${iso('newest')}, ${iso('detached_at', 'detachedAt')}
     from pruned_day where state <> 'dropped' order by day, generation`,
  )
  return rows.map((row) => ({ ...row, table: goneTable(row.day, row.generation) }))
}

/** Canonical. */
function instant(column: string): string {
  return `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
}

async function swap(pool: Pool, day: number, { keptOf, onLocked }: DetachOptions): Promise<DetachedDay | null> {
  const table = dayTable(day)
  return inTransaction(pool, TRANSACTION_MS, async (client) => {
    await client.query(`set local lock_timeout = ${LOCK_MS}`)
    await lockDayPartitions(client)
    if (!(await isAttached(client, table)) || (await isHeld(client, day))) return null
    await client.query(`lock table ${table} in share mode`) // from here on nobody adds to this day
    if (await isNeededByTable(client, table)) return null // it was rolled back since the plan was made
    const names = await namesIn(client, table)
    const kept = keptOf(names)
    if (names.length > 0 && kept.length === names.length) return null
    if (kept.length > 0) await completeCopy(client, day, kept)
    await keepRebuildsOut(client)
    if (await isHeld(client, day)) return null // since it was asked first, and a copy may take its time
    const detached = await note(client, day, kept)
    const began = performance.now()
    try {
      await client.query(exchange(day, detached.table, kept.length > 0))
    } finally {
      onLocked?.(performance.now() - began)
    }
    return detached
  })
}

async function isNeededByTable(client: PoolClient, table: string): Promise<boolean> {
  return (await standingBefore(client, table)).some(({ kind }) => kind === 'projection')
}

/**
 * One message with its commit, so that no round trip falls into the time in which the log is locked; one statement, so
 * that one limit holds for all of it; and a commit that waits for no disk and no replica under the lock. Should the
 * machine crash just then, the day is back in the log: the drop, which is written after it, waits for both.
 */
function exchange(day: number, gone: string, keepsSome: boolean): string {
  const table = dayTable(day)
  const changes = [`alter table event detach partition ${table}`, `alter table ${table} rename to ${gone}`]
  if (keepsSome) {
    const copy = keptTable(day)
    const range = `from ('${isoDay(day)} 00:00:00+00') to ('${isoDay(day + 1)} 00:00:00+00')`
    changes.push(
      `alter table event attach partition ${copy} for values ${range}`,
      `alter table ${copy} drop constraint in_its_day`,
      `alter table ${copy} rename to ${table}`,
    )
  }
  const settings = `set local statement_timeout = ${EXCHANGE_MS}; set local synchronous_commit = off`
  return `${settings}; do $$ begin ${changes.join('; ')}; end $$; commit`
}

type Noted = Pick<DetachedDay, 'generation' | 'events' | 'bytes' | 'detachedAt'>

async function note(client: PoolClient, day: number, kept: readonly string[]): Promise<DetachedDay> {
  const table = dayTable(day)
  const { oldest, newest } = await occurredIn(client, table)
  const { rows } = await client.query<Noted>(
    `insert into pruned_day (day, generation, state, event_count, bytes, oldest, newest, kept)
     select date '1970-01-01' + $1::int4,
       1 + coalesce((select max(generation) from pruned_day where day = date '1970-01-01' + $1::int4), 0), 'detached',
       greatest(0, ${estimatedRows('c')} - coalesce((select ${estimatedRows('k')} from pg_class k where k.oid = to_regclass($6)), 0)),
       pg_total_relation_size(c.oid), $3, $4, $5
     from pg_class c where c.oid = $2::regclass
     returning generation, event_count::float8 as events, bytes::float8 as bytes, ${instant('detached_at')} as "detachedAt"`,
    [day, table, oldest, newest, kept, kept.length > 0 ? keptTable(day) : null],
  )
  const row = rows[0] as Noted
  return { day, table: goneTable(day, row.generation), kept, oldest, newest, ...row }
}

function goneTable(day: number, generation: number): string {
  return `${dayTable(day)}_gone_${generation}`
}
