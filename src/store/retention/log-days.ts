/** What there is to know of the log's days, from the catalogue and from indexes; nothing here reads a table through. */
import type { Queryable } from '../checkpoint.ts'
import { dayTable } from '../day-partitions.ts'
import { estimatedRows } from './estimate.ts'

/** A day that is a partition of the log. */
export interface LogDay {
  /** Days since the epoch, UTC. */
  readonly day: number
  readonly table: string
  /** By Postgres' statistics. */
  readonly events: number
  /** With its indexes. */
  readonly bytes: number
}

/** The first and the last moment at which an event of a table occurred; null when it has none. */
export interface Occurred {
  readonly oldest: string | null
  readonly newest: string | null
}

/** Who has not applied all events of a day: a group, or the table of a projection that the recorder left behind. */
export interface Behind {
  readonly kind: 'group' | 'projection'
  readonly name: string
  readonly partition: number
}

const DAY_MS = 86_400_000

/** The days that are there, the oldest first. */
export async function listDays(db: Queryable): Promise<LogDay[]> {
  const { rows } = await db.query<{ name: string; events: number; bytes: number }>(
    `select c.relname as name, ${estimatedRows('c')} as events, pg_total_relation_size(c.oid)::float8 as bytes
     from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'event'::regclass and c.relname ~ '^event_[0-9]{8}$' order by c.relname`,
  )
  return rows.map(({ name, events, bytes }) => ({ day: dayOfTable(name), table: name, events, bytes }))
}

/** Looks at both ends of the primary key. */
export async function occurredIn(db: Queryable, table: string): Promise<Occurred> {
  const at = (order: string) =>
    `(select to_char(occurred at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') from ${table} order by occurred ${order}, id ${order} limit 1)`
  const { rows } = await db.query<Occurred>(`select ${at('asc')} as oldest, ${at('desc')} as newest`)
  return rows[0] as Occurred
}

/** The names of a table's events: one look into the index for each, however many events have it. */
export async function namesIn(db: Queryable, table: string): Promise<string[]> {
  const { rows } = await db.query<{ event: string }>(
    `with recursive name as (
       (select event from ${table} order by event limit 1)
       union all
       select (select event from ${table} t where t.event > name.event order by t.event limit 1)
       from name where name.event is not null
     ) select event from name where event is not null`,
  )
  return rows.map(({ event }) => event)
}

/** How many events of some names a table has, counted by the index up to a bound. */
export async function countOfNames(
  db: Queryable,
  table: string,
  names: readonly string[],
  most: number,
): Promise<number> {
  if (names.length === 0) return 0
  const { rows } = await db.query<{ count: number }>(
    `select count(*)::int4 as count from (select from ${table} where event = any($1) limit $2) found`,
    [names, most],
  )
  return rows[0]?.count ?? 0
}

/**
 * Where each group stands, and each table of a projection that is not where the recorder is. A projection that is no more
 * has no row in `projection`.
 */
const STANDING = `select 'group' as kind, "group" as name, partition, entry_ms, entry_seq from checkpoint
  union all
  select 'projection', b.projection, b.partition, b.entry_ms, b.entry_seq
  from projection_behind b join projection p on p.name = b.projection`

/** Who has not applied the last event of a table yet. */
export async function standingBefore(db: Queryable, table: string): Promise<Behind[]> {
  const { rows } = await db.query<Behind>(
    `with recursive place as (
       (select partition, entry_ms, entry_seq from ${table} order by partition desc, entry_ms desc, entry_seq desc limit 1)
       union all
       select next.* from place, lateral (
         select partition, entry_ms, entry_seq from ${table} t where t.partition < place.partition
         order by t.partition desc, t.entry_ms desc, t.entry_seq desc limit 1) next
     )
     select s.kind, s.name, s.partition from (${STANDING}) s join place p on p.partition = s.partition
     where (s.entry_ms, s.entry_seq) < (p.entry_ms, p.entry_seq) order by s.kind, s.name, s.partition`,
  )
  return rows
}

/** For each partition the position that every group and every table has applied: what lies beyond it is still needed. */
export async function appliedByAll(db: Queryable): Promise<{ readonly ms: string[]; readonly seq: string[] }> {
  const { rows } = await db.query<{ partition: number; entry_ms: string; entry_seq: string }>(
    `select distinct on (partition) partition, entry_ms, entry_seq from (${STANDING}) s order by partition, entry_ms, entry_seq`,
  )
  const most = (rows.at(-1)?.partition ?? -1) + 1
  const found = new Map(rows.map((row) => [row.partition, row]))
  const places = Array.from({ length: most }, (_, partition) => found.get(partition))
  return {
    ms: places.map((place) => place?.entry_ms ?? '0'),
    seq: places.map((place) => place?.entry_seq ?? '0'),
  }
}

/** The day of the oldest event that lies in the default partition, from a day on and before a moment; null for none. */
export async function strayDay(db: Queryable, fromDay: number, beforeMs: number): Promise<number | null> {
  const { rows } = await db.query<{ day: number }>(
    `select floor(extract(epoch from occurred) / 86400)::int4 as day from event_default
     where occurred >= to_timestamp($1::float8 * 86400) and occurred < to_timestamp($2::float8 / 1000)
     order by occurred, id limit 1`,
    [fromDay, beforeMs],
  )
  return rows[0]?.day ?? null
}

/** The days until one, that included, of which events lie in the default partition. Reads that through. */
export async function strayDays(db: Queryable, lastDay: number): Promise<number[]> {
  const { rows } = await db.query<{ day: number }>(
    `select distinct floor(extract(epoch from occurred) / 86400)::int4 as day from event_default
     where occurred < to_timestamp(($1::float8 + 1) * 86400) order by day`,
    [lastDay],
  )
  return rows.map(({ day }) => day)
}

/** The moment a day ends, which is that at which the next begins. */
export function dayEndMs(day: number): number {
  return (day + 1) * DAY_MS
}

/** `2026-11-01`. */
export function isoDay(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10)
}

function dayOfTable(name: string): number {
  const digits = name.slice('event_'.length)
  const day = Date.parse(`${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6, 8)}T00:00:00Z`) / DAY_MS
  if (dayTable(day) !== name) throw new RangeError(`${name} is no day of the log`)
  return day
}
