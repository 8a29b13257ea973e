/** Chooses how to come by a filter's rows. */
import { Type } from '@sinclair/typebox'
import { RESOURCE_ID } from '#src/events/event.ts'
import type { Criteria } from '#src/events/filter.ts'
import type { Store } from '../pool.ts'
import { type FragmentSqlToken, row, sql } from '../sql.ts'
import { prefixRange } from './fragments.ts'
import { indexed } from './indexed.ts'
import type { Span } from './spans.ts'
import { unlessTooSlow } from './too-slow.ts'
import { type Method, rowsOf, settingsFor, type Window } from './window.ts'

/** Most values merged from an index in order: each is one more scan in the plan. */
const MAX_VALUES = 32
/** Most rows that are looked at out of order: about half a second's work at 5 us a row. */
export const MAX_CANDIDATES = 100_000
const COUNT_TIMEOUT_MS = 1_000

const WALK: Method = { by: 'walk' }
const INDEXES: Method = { by: 'indexes' }
const Count = row(Type.Object({ count: Type.Integer() }))
type Place = Pick<Window, 'criteria' | 'span' | 'after'>

const Names = row(Type.Object({ name: Type.String() }))

/** The way in the log's order: by values of a column where the filter names few, else past every row. */
export async function orderedMethod(store: Store, criteria: Criteria, span: Span): Promise<Method> {
  const ids = resourceIds(criteria)
  if (ids !== null) return { by: 'values', column: 'resource_id', values: ids }
  const names = criteria.names.length > 0 ? unique(criteria.names) : await namesWithPrefix(store, criteria, span)
  return names === null ? WALK : { by: 'values', column: 'event', values: names }
}

/** By `indexes` where they point at few enough rows of the span; null when there are more. Else the ordered way. */
export async function bestMethod(store: Store, where: Place, ordered: Method): Promise<Method | null> {
  const { criteria } = where
  if (criteria.ids.length > 0) return INDEXES
  const conditions = indexed(criteria).length
  if (conditions === 0 || (conditions === 1 && ordered.by === 'values')) return ordered
  const candidates = rowsOf({ ...where, method: INDEXES, rows: 0 })
  const count = sql.type(Count)`
    select count(*)::int as count from (select from (${candidates}) e limit ${MAX_CANDIDATES + 1}) c`
  const options = { settings: settingsFor(INDEXES), timeoutMs: COUNT_TIMEOUT_MS }
  const found = await unlessTooSlow(store.read((tx) => tx.oneFirst(count), options))
  return found === null || found > MAX_CANDIDATES ? null : INDEXES
}

function resourceIds({ resource }: Criteria): string[] | null {
  if (resource.ids.length > 0) return unique(resource.ids)
  const label = resource.labels.find(({ key }) => key === RESOURCE_ID)
  if (label === undefined || label.prefixes.length + label.notExact.length + label.notPrefixes.length > 0) return null
  return unique(label.exact)
}

function unique(values: readonly string[]): string[] | null {
  const set = [...new Set(values)]
  return set.length > MAX_VALUES || set.length === 0 ? null : set
}

/** The names in a span that begin with one of the filter's prefixes; null when it asks for none or they are too many. */
async function namesWithPrefix(store: Store, { namePrefixes }: Criteria, span: Span): Promise<string[] | null> {
  if (namePrefixes.length === 0 || namePrefixes.length > MAX_VALUES || namePrefixes.includes('')) return null
  const names = new Set<string>()
  const read = store.read(
    async (tx) => {
      for (const prefix of namePrefixes) {
        for (const { name } of await tx.any(sql.type(Names)`${hops(prefix, span)}`)) names.add(name)
        if (names.size > MAX_VALUES) return null
      }
      return [...names]
    },
    { settings: settingsFor(WALK), timeoutMs: COUNT_TIMEOUT_MS },
  )
  return unlessTooSlow(read)
}

/** Hops from name to name in the index, a probe each, rather than reading every entry. */
function hops(prefix: string, { from, to }: Span): FragmentSqlToken {
  const within = sql.fragment`${prefixRange(sql.fragment`e.event`, prefix)}
    and e.occurred between ${from}::timestamptz and ${to}::timestamptz`
  return sql.fragment`
    with recursive hop(name) as (
      (select e.event from event e where ${within} order by e.event limit 1)
      union all
      select (select e.event from event e where e.event > hop.name and ${within} order by e.event limit 1)
      from hop where hop.name is not null)
    select name from hop where name is not null limit ${MAX_VALUES + 1}`
}
