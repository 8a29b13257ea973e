import { Type } from '@sinclair/typebox'
import { type Criteria, FilterInvalid } from '#src/events/filter.ts'
import type { Store } from '../pool.ts'
import { type FragmentSqlToken, row, sql } from '../sql.ts'
import { bucketsOf, type Interval, microsOf, PIVOT } from './buckets.ts'
import { instantText } from './columns.ts'
import { and } from './fragments.ts'
import { unlessTooSlow } from './too-slow.ts'
import { matches } from './where.ts'

/** Criteria with both ends of the range. */
export type RangedCriteria = Criteria & { readonly since: string; readonly until: string }

/** How many events there are of one value; in the shape of Prefect's API. */
export interface ValueCount {
  readonly value: string
  readonly label: string
  readonly count: number
  /** Canonical instants: of the bucket, or of the first and the last event of the value. */
  readonly start_time: string
  readonly end_time: string
}

/** Most values that are listed, those of most events. */
export const MAX_VALUES = 1_000
const SETTINGS = { jit: 'off' }

const Bin = row(Type.Object({ bin: Type.String(), count: Type.Integer() }))
const Value = row(
  Type.Object({
    value: Type.String(),
    label: Type.String(),
    count: Type.Integer(),
    start_time: Type.String(),
    end_time: Type.String(),
  }),
)

/**
 * Counts by time, oldest first, buckets without events included. The value is the bucket's number, the label its start.
 * @throws TooManyBuckets; FilterInvalid when it takes too long; StoreUnavailable
 */
export async function countByTime(
  store: Store,
  criteria: RangedCriteria,
  interval: Interval,
  nowMs: number,
): Promise<ValueCount[]> {
  const buckets = bucketsOf(criteria.since, criteria.until, interval, nowMs)
  const length = sql.fragment`${Number(microsOf(interval))}::float8 * interval '1 microsecond'`
  const bins = await counted(store, (tx) =>
    tx.any(sql.type(Bin)`
      select ${instantText(sql.fragment`b.bin`)} as bin, b.count from (
        select date_bin(${length}, e.occurred, ${PIVOT}::timestamptz) as bin, count(*) as count
        from event e where ${within(criteria)} group by 1) b`),
  )
  const counts = new Map(bins.map(({ bin, count }) => [bin, count]))
  return buckets.map(({ from, to }, i) => ({
    value: String(i),
    label: pythonIso(from),
    count: counts.get(from) ?? 0,
    start_time: from,
    end_time: to,
  }))
}

/** Counts by the event's name, most first, at most 1,000 names. @throws FilterInvalid when it takes too long; StoreUnavailable */
export async function countByEvent(store: Store, criteria: RangedCriteria): Promise<ValueCount[]> {
  const counts = await counted(store, (tx) =>
    tx.any(sql.type(Value)`
      select g.value, g.value as label, g.count, ${instantText(sql.fragment`g.first`)} as start_time,
        ${instantText(sql.fragment`g.last`)} as end_time
      from (${groups(criteria, sql.fragment`event`)}) g order by g.count desc, g.value`),
  )
  return [...counts]
}

/**
 * Counts by resource, most first, at most 1,000 resources. The label is the name that the last of its events has, or
 * the id. @throws FilterInvalid when it takes too long; StoreUnavailable
 */
export async function countByResource(store: Store, criteria: RangedCriteria): Promise<ValueCount[]> {
  const counts = await counted(store, (tx) =>
    tx.any(sql.type(Value)`
      select g.value, coalesce(l.name, g.value) as label, g.count, ${instantText(sql.fragment`g.first`)} as start_time,
        ${instantText(sql.fragment`g.last`)} as end_time
      from (${groups(criteria, sql.fragment`resource_id`)}) g
      left join lateral (
        select coalesce(n.resource ->> 'prefect.resource.name', n.resource ->> 'prefect.name') as name
        from event n where n.resource_id = g.value and n.occurred = g.last order by n.id desc limit 1) l on true
      order by g.count desc, label`),
  )
  return [...counts]
}

function groups(criteria: RangedCriteria, column: FragmentSqlToken): FragmentSqlToken {
  return sql.fragment`
    select e.${column} as value, count(*) as count, min(e.occurred) as first, max(e.occurred) as last
    from event e where ${within(criteria)} group by 1 order by 2 desc, 1 limit ${MAX_VALUES}`
}

function within(criteria: RangedCriteria): FragmentSqlToken {
  const { since, until } = criteria
  return and([
    sql.fragment`e.occurred >= ${since}::timestamptz`,
    sql.fragment`e.occurred <= ${until}::timestamptz`,
    matches(criteria),
  ])
}

/** A count that stopped half-way would be wrong, so unlike a page it has no budget but the statement's timeout. */
async function counted<T>(store: Store, read: Parameters<typeof store.read<T>>[0]): Promise<T> {
  const found = await unlessTooSlow(store.read(read, { settings: SETTINGS }))
  if (found === null)
    throw new FilterInvalid('Counting all of these events takes too long: ask for a shorter range of time.')
  return found
}

/** As Python's isoformat writes it. */
function pythonIso(instant: string): string {
  return `${instant.slice(0, 19)}${instant.endsWith('.000000Z') ? '' : instant.slice(19, 26)}+00:00`
}
