/** Statements over a bounded part of the log, and the settings that keep Postgres to the plan meant for them. */
import type { Criteria } from '#src/events/filter.ts'
import type { LocalSettings } from '../pool.ts'
import { type FragmentSqlToken, sql } from '../sql.ts'
import { and } from './fragments.ts'
import { indexed } from './indexed.ts'
import type { Key, Span } from './spans.ts'

/**
 * How rows are come by. `walk`: in the log's order by the primary key. `values`: in the log's order by an index that
 * begins with a column, for each of some values. `indexes`: all rows that the filter's indexes point at, unordered.
 */
export type Method =
  | { readonly by: 'walk' }
  | { readonly by: 'values'; readonly column: 'event' | 'resource_id'; readonly values: readonly string[] }
  | { readonly by: 'indexes' }

/** Rows of `span` beyond `after`, in the filter's order, at most `rows` of them (all of them by `indexes`). */
export interface Window {
  readonly criteria: Criteria
  readonly method: Method
  readonly span: Span
  readonly after: Key | null
  readonly rows: number
}

const COMMON = { jit: 'off', max_parallel_workers_per_gather: '0', enable_seqscan: 'off' }
const JOINS = { enable_hashjoin: 'off', enable_mergejoin: 'off' }
/**
 * With pages for nothing the plan that takes fewest rows is the cheapest. Else a walk past all rows that keeps those of
 * one name is preferred to the index on names when the name was common, and takes for ever once it no longer is.
 */
const FEWEST_ROWS = { seq_page_cost: '0', random_page_cost: '0' }

/**
 * Postgres is told what not to do, since its estimates can't be trusted here: a day's partition being written has old
 * statistics or none, conditions on one event hang together, and JSON conditions are guessed at. A plan that reads in
 * the log's order is bounded by the window whatever the data; a sort of all that matches isn't.
 */
export function settingsFor({ by }: Method): LocalSettings {
  if (by === 'indexes') return { ...COMMON, ...JOINS, enable_indexscan: 'off', enable_indexonlyscan: 'off' }
  return { ...COMMON, ...JOINS, ...FEWEST_ROWS, enable_bitmapscan: 'off', enable_sort: 'off' }
}

/** The window's rows as a subquery, all columns. */
export function rowsOf(window: Window): FragmentSqlToken {
  const { criteria, method, span, after, rows } = window
  const within = inSpan(criteria, span, after)
  if (method.by === 'indexes') return sql.fragment`select e.* from event e where ${and([within, ...indexed(criteria)])}`
  const ordered = sql.fragment`order by ${inOrder(criteria)} limit ${rows}`
  if (method.by === 'walk') return sql.fragment`select e.* from event e where ${within} ${ordered}`
  const column = sql.identifier(['e', method.column])
  // An arm for each value, rather than `= any(…)`, and each arm in order: only so can rows come out of the index, merged.
  const arms = method.values.map(
    (value) => sql.fragment`(select e.* from event e where ${column} = ${value} and ${within} ${ordered})`,
  )
  return sql.fragment`select e.* from (${sql.join(arms, sql.fragment` union all `)}) e ${ordered}`
}

/** The order of the filter on rows of `e`. */
export function inOrder({ order }: Criteria): FragmentSqlToken {
  return order === 'ASC' ? sql.fragment`e.occurred, e.id` : sql.fragment`e.occurred desc, e.id desc`
}

function inSpan({ order }: Criteria, { from, to }: Span, after: Key | null): FragmentSqlToken {
  const conditions = [sql.fragment`e.occurred >= ${from}::timestamptz`, sql.fragment`e.occurred <= ${to}::timestamptz`]
  if (after !== null) {
    const beyond = order === 'ASC' ? sql.fragment`>` : sql.fragment`<`
    conditions.push(sql.fragment`(e.occurred, e.id) ${beyond} (${after.occurred}::timestamptz, ${after.id}::uuid)`)
  }
  return and(conditions)
}
