/** Which stretches of time the log has rows in, so that a query touches only the partitions it needs. */
import { Type } from '@sinclair/typebox'
import type { Criteria } from '#src/events/filter.ts'
import { type CommonQueryMethods, row, sql } from '../sql.ts'
import { instantText } from './columns.ts'

/** A place in the log's order. */
export interface Key {
  /** Canonical instant. */
  readonly occurred: string
  readonly id: string
}

/** A stretch of time; canonical instants, both inclusive. */
export interface Span {
  readonly from: string
  readonly to: string
}

const Tables = row(Type.Object({ name: Type.String() }))
const Bounds = row(
  Type.Object({ first: Type.Union([Type.String(), Type.Null()]), last: Type.Union([Type.String(), Type.Null()]) }),
)
type Bounds = { first: string | null; last: string | null }

const FIRST_ID = '00000000-0000-0000-0000-000000000000'
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff'
const DAY_MS = 86_400_000
const DAY_TABLE = /^event_(\d{4})(\d\d)(\d\d)$/

/**
 * Stretches of the filter's range that can have rows, in its order: one for each day that has a partition, and one for
 * each run of days without that the default partition may hold rows of. Empty when there is nothing to look at.
 */
export async function spansOf(tx: CommonQueryMethods, { since, until, order }: Criteria): Promise<Span[]> {
  const tables = await tx.any(sql.type(Tables)`
    select c.relname::text as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'event'::regclass`)
  const rest = await tx.one(sql.type(Bounds)`
    select ${instantText(sql.fragment`min(occurred)`)} as first, ${instantText(sql.fragment`max(occurred)`)} as last
    from event_default`)
  const days = new Set(tables.flatMap(({ name }) => dayOfTable(name) ?? []))
  const spans = [...[...days].map((day) => ({ from: dayStart(day), to: dayEnd(day) })), ...outside(days, rest)]
    .map(({ from, to }) => ({
      from: since !== null && since > from ? since : from,
      to: until !== null && until < to ? until : to,
    }))
    .filter(({ from, to }) => from <= to)
    .sort((a, b) => (a.from < b.from ? -1 : 1))
  return order === 'ASC' ? spans : spans.reverse()
}

/** The spans that a place has not passed, given in the filter's order. */
export function beyond(spans: readonly Span[], { order }: Criteria, after: Key | null): readonly Span[] {
  if (after === null) return spans
  const place = after.occurred + after.id // both of fixed length, so text order is theirs
  return spans.filter(({ from, to }) => (order === 'ASC' ? to + LAST_ID > place : from + FIRST_ID < place))
}

/** One span over some neighbours, given in the filter's order. What lies between them has no rows. */
export function cover(spans: readonly Span[], { order }: Criteria): Span {
  const [first, last] = [spans[0], spans.at(-1)]
  if (first === undefined || last === undefined) throw new RangeError('there is no span to cover')
  return order === 'ASC' ? { from: first.from, to: last.to } : { from: last.from, to: first.to }
}

/** The place past all rows of a span. */
export function endOf({ from, to }: Span, { order }: Criteria): Key {
  return order === 'ASC' ? { occurred: to, id: LAST_ID } : { occurred: from, id: FIRST_ID }
}

/** Runs of days without a partition between the first and the last row of the default one. */
function outside(days: ReadonlySet<number>, { first, last }: Bounds): Span[] {
  if (first === null || last === null) return []
  const [firstDay, lastDay] = [dayOf(first), dayOf(last)]
  const between = [...days].filter((day) => day >= firstDay && day <= lastDay).sort((a, b) => a - b)
  const spans: Span[] = []
  let from = firstDay
  for (const day of [...between, lastDay + 1]) {
    if (day > from) spans.push({ from: dayStart(from), to: dayEnd(day - 1) })
    from = day + 1
  }
  return spans
}

function dayOfTable(name: string): number | null {
  const [, year, month, day] = DAY_TABLE.exec(name) ?? []
  return year === undefined ? null : Date.parse(`${year}-${month}-${day}T00:00:00Z`) / DAY_MS
}

function dayOf(instant: string): number {
  return Math.floor(Date.parse(instant) / DAY_MS)
}

function dayStart(day: number): string {
  return `${isoDay(day)}T00:00:00.000000Z`
}

function dayEnd(day: number): string {
  return `${isoDay(day)}T23:59:59.999999Z`
}

function isoDay(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10)
}
