import type { Criteria } from '#src/events/filter.ts'
import type { Store } from '../pool.ts'
import { type FragmentSqlToken, sql } from '../sql.ts'
import { columns, type StoredEvent, StoredRow } from './columns.ts'
import { matching } from './distinct.ts'
import type { Key } from './spans.ts'
import { type Walk, walk } from './walk.ts'
import { inOrder } from './window.ts'

export interface PageQuery extends Pick<Walk, 'criteria' | 'firstRows'> {
  /** Most events of the page, at least 1. */
  readonly limit: number
  /** Where the page before ended. */
  readonly after?: Key | null
  /** About how long the search may take; 2,000 ms unless said otherwise. */
  readonly budgetMs?: number
}

export interface Page {
  /** In the filter's order, by occurred and id. */
  readonly events: readonly StoredEvent[]
  /** Where to go on: null at the end. A page may have fewer events than asked for, even none, and still go on. */
  readonly next: Key | null
  /** Time was up before the page was full or the range at its end. */
  readonly outOfTime: boolean
}

const BUDGET_MS = 2_000

/**
 * A page of events by keyset: each event is on one page, whatever comes in meanwhile, and the hundredth page costs what
 * the first does. @throws StoreUnavailable
 */
export async function queryEvents(store: Store, query: PageQuery): Promise<Page> {
  const { criteria, limit } = query
  const task = { ...query, after: query.after ?? null, budgetMs: query.budgetMs ?? BUDGET_MS }
  const events: StoredEvent[] = []
  const wanted = () => limit + 1 - events.length // one more tells whether there is a next page
  const end = await walk(store, task, {
    look: (tx, rows) => tx.any(sql.type(StoredRow)`${pageOf(criteria, rows, wanted())}`),
    enough: (found) => found.length >= wanted(),
    keep: (found) => void events.push(...found),
  })
  const page = events.slice(0, limit)
  if (events.length > limit) return { events: page, next: keyOf(page.at(-1)), outOfTime: false }
  return { events: page, next: end === 'enough' ? null : end, outOfTime: end !== null }
}

function pageOf(criteria: Criteria, rows: FragmentSqlToken, limit: number): FragmentSqlToken {
  return sql.fragment`select ${columns} from (${rows}) e where ${matching(criteria)}
    order by ${inOrder(criteria)} limit ${limit}`
}

function keyOf(event: StoredEvent | undefined): Key | null {
  return event === undefined ? null : { occurred: event.occurred, id: event.id }
}
