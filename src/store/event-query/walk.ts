/**
 * Goes through the rows that a filter may match, a bounded window at a time, so that no question takes longer than its
 * budget however much the log holds. Each window is a transaction of its own: nothing holds back vacuum or a pooler.
 */
import { Type } from '@sinclair/typebox'
import type { Criteria } from '#src/events/filter.ts'
import type { Store } from '../pool.ts'
import { type CommonQueryMethods, type FragmentSqlToken, row, sql } from '../sql.ts'
import { instantText } from './columns.ts'
import { bestMethod, orderedMethod } from './method.ts'
import { beyond, cover, endOf, type Key, spansOf } from './spans.ts'
import { unlessTooSlow } from './too-slow.ts'
import { inOrder, rowsOf, settingsFor, type Window } from './window.ts'

export interface Walk {
  readonly criteria: Criteria
  /** Where to begin: beyond this place, or at the start of the range. */
  readonly after: Key | null
  /** About how long it may take. At least one window is looked at. */
  readonly budgetMs: number
  /** Rows of the first window; 1,000 unless said otherwise. Later ones follow the time that windows take. */
  readonly firstRows?: number
}

export interface Visitor<Found> {
  /** Asks what it wants of a window's rows, a subquery to select from as `e`, in no order. May be asked again. */
  look(tx: CommonQueryMethods, rows: FragmentSqlToken): Promise<Found>
  /** Whether, with this, it has all it wants. Changes nothing. */
  enough(found: Found): boolean
  /** Keeps what was found; once for each window. */
  keep(found: Found): void
}

/** Where a walk ended: at the end of the range (null), with the visitor satisfied, or out of time past this place. */
export type WalkEnd = null | 'enough' | Key

const FIRST_ROWS = 1_000
const MAX_ROWS = 50_000
/** What a window should take, and what it may take before it is tried again with fewer rows. */
const WINDOW_MS = 150
const WINDOW_TIMEOUT_MS = 1_500
/** Days looked at together once single ones gave little. */
const MAX_DAYS = 64

const Place = row(Type.Object({ occurred: Type.String(), id: Type.String() }))

/** Visits windows in the filter's order until the visitor has enough, the range ends or time is up. */
export async function walk<Found>(store: Store, task: Walk, visitor: Visitor<Found>): Promise<WalkEnd> {
  const { criteria } = task
  const deadlineMs = performance.now() + task.budgetMs
  const sweep: Sweep<Found> = { store, visitor, deadlineMs, rows: task.firstRows ?? FIRST_ROWS }
  let spans = beyond(await store.read((tx) => spansOf(tx, criteria)), criteria, task.after)
  let after = task.after
  let days = criteria.ids.length > 0 ? spans.length : 1
  // What is dense is found at once in order: counting what indexes point at would only cost time.
  let dense = criteria.ids.length === 0
  while (spans.length > 0) {
    const span = cover(spans.slice(0, days), criteria)
    const ordered = await orderedMethod(store, criteria, span)
    const empty = ordered.by === 'values' && ordered.values.length === 0
    if (dense && !empty) {
      const end = await sweepSpan(sweep, { criteria, span, after, method: ordered }, 1)
      if (end === 'enough') return end
      dense = end === null
      if (end !== null) after = end
    }
    if (!dense && !empty) {
      const method = await bestMethod(store, { criteria, span, after }, ordered)
      if (method === null && days > 1) {
        days = 1
        continue
      }
      const end = await sweepSpan(sweep, { criteria, span, after, method: method ?? ordered }, Number.POSITIVE_INFINITY)
      if (end !== null) return end
    }
    spans = spans.slice(days)
    days = Math.min(days * 2, MAX_DAYS)
    if (spans.length > 0 && performance.now() > deadlineMs) return endOf(span, criteria)
  }
  return null
}

interface Sweep<Found> {
  readonly store: Store
  readonly visitor: Visitor<Found>
  readonly deadlineMs: number
  /** Rows of the next window; follows what windows take. */
  rows: number
}

/** Visits windows of one span, at most so many. Null when there is nothing beyond them, else as `walk`. */
async function sweepSpan<Found>(sweep: Sweep<Found>, from: Omit<Window, 'rows'>, windows: number): Promise<WalkEnd> {
  let { method, after } = from
  for (let count = 0; count < windows; ) {
    const startMs = performance.now()
    const seen = await lookAt(sweep, { ...from, method, after, rows: sweep.rows })
    if (seen === null) {
      if (method.by === 'indexes') method = await orderedMethod(sweep.store, from.criteria, from.span)
      sweep.rows = Math.max(1, Math.floor(sweep.rows / 8))
      continue
    }
    count++
    const enough = sweep.visitor.enough(seen.found)
    sweep.visitor.keep(seen.found)
    if (enough) return 'enough'
    if (seen.last === null) return null
    after = seen.last
    if (performance.now() > sweep.deadlineMs) break
    const factor = Math.min(8, Math.max(0.25, WINDOW_MS / (performance.now() - startMs)))
    sweep.rows = Math.min(MAX_ROWS, Math.max(1, Math.floor(sweep.rows * factor)))
  }
  return after
}

/** What a window has, and its last row if there may be more beyond it; null when it took too long. */
async function lookAt<Found>(
  { store, visitor }: Sweep<Found>,
  window: Window,
): Promise<{ found: Found; last: Key | null } | null> {
  const { criteria, method, rows } = window
  const read = store.read(
    async (tx) => {
      const found = await visitor.look(tx, rowsOf(window))
      if (method.by === 'indexes' || visitor.enough(found)) return { found, last: null }
      const last = await tx.maybeOne(sql.type(Place)`
        select ${instantText(sql.fragment`e.occurred`)} as occurred, e.id from (${rowsOf(window)}) e
        order by ${inOrder(criteria)} offset ${rows - 1} limit 1`)
      return { found, last }
    },
    { settings: settingsFor(method), ...(rows > 1 && { timeoutMs: WINDOW_TIMEOUT_MS }) },
  )
  return rows > 1 ? unlessTooSlow(read) : read
}
