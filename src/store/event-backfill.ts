/** Events of the log for a live reader: those before its first live one, and those it missed, in the order it needs. */
import { Type } from '@sinclair/typebox'
import type { Criteria } from '#src/events/filter.ts'
import type { CheckpointPosition } from './checkpoint.ts'
import type { EventPosition } from './event-position.ts'
import { columns, type StoredEvent, StoredRow } from './event-query/columns.ts'
import { and } from './event-query/fragments.ts'
import type { Key } from './event-query/spans.ts'
import { walk } from './event-query/walk.ts'
import { matches } from './event-query/where.ts'
import { inOrder, settingsFor } from './event-query/window.ts'
import type { Store } from './pool.ts'
import { type FragmentSqlToken, row, sql } from './sql.ts'

/** Begins after a place, or at the beginning. */
export interface BackfillPage {
  readonly criteria: Criteria
  /** For each partition the last position that is wanted. */
  readonly through: readonly CheckpointPosition[]
  readonly after: Key | null
  readonly limit: number
}

/** A search that found little goes on in the next page: the reader may have left meanwhile. */
const BUDGET_MS = 2_000

/**
 * Events that match, by the time they occurred, that were appended up to a position; and where the next page begins, null
 * when there is none. A page may have fewer events than the limit, even none, and still go on.
 */
export async function readBackfill(
  store: Store,
  { criteria: asked, through, after, limit }: BackfillPage,
): Promise<{ readonly events: readonly StoredEvent[]; readonly next: Key | null }> {
  const criteria: Criteria = { ...asked, order: 'ASC' }
  const bounds = (part: 'ms' | 'seq') =>
    sql.array(
      through.map((position) => position[part]),
      'int8',
    )
  const [ms, seq] = [bounds('ms'), bounds('seq')]
  const appended = sql.fragment`(e.entry_ms, e.entry_seq) <= ((${ms})[e.partition + 1], (${seq})[e.partition + 1])`
  const wanted = and([appended, matches(criteria)])
  const events: StoredEvent[] = []
  const end = await walk(
    store,
    { criteria, after, budgetMs: BUDGET_MS },
    {
      look: (tx, rows) =>
        tx.any(sql.type(StoredRow)`
          select ${columns} from (${rows}) e where ${wanted}
          order by ${inOrder(criteria)} limit ${limit - events.length}`),
      enough: (found) => found.length >= limit - events.length,
      keep: (found) => void events.push(...found),
    },
  )
  if (end !== 'enough') return { events, next: end }
  const { occurred, id } = events.at(-1) as StoredEvent
  return { events, next: { occurred, id } }
}

/** What lies in one partition between two positions. */
export interface GapPage {
  readonly criteria: Criteria
  readonly partition: number
  readonly after: EventPosition
  readonly through: CheckpointPosition
  readonly limit: number
}

const Text = Type.String()
const POSITION = { ms: Type.Number(), seq: Type.Number(), index: Type.Integer() }
const Position = row(Type.Object(POSITION))
/** What `columns` gives, and the position. */
const PositionedRow = row(
  Type.Object({
    occurred: Text,
    id: Text,
    event: Text,
    resourceId: Text,
    follows: Type.Union([Text, Type.Null()]),
    resource: Text,
    related: Text,
    payload: Text,
    received: Text,
    ...POSITION,
  }),
)

/** Rows that are looked at together, however few of them match. */
const GAP_ROWS = 2_000

/**
 * Events that match, in the order in which they were appended, and where the next page begins; null when there is none. A
 * page may have fewer events than the limit, even none, and still go on.
 */
export function readGap(
  store: Store,
  page: GapPage,
): Promise<{ readonly events: readonly StoredEvent[]; readonly next: EventPosition | null }> {
  const { criteria, partition, after, through, limit } = page
  const between = and([
    sql.fragment`e.partition = ${partition}`,
    sql.fragment`(e.entry_ms, e.entry_seq, e.entry_index) > (${after.ms}, ${after.seq}, ${after.index})`,
    sql.fragment`(e.entry_ms, e.entry_seq) <= (${through.ms}, ${through.seq})`,
    ...withinRange(criteria),
  ])
  const order = sql.fragment`order by e.entry_ms, e.entry_seq, e.entry_index`
  const rows = sql.fragment`select e.* from event e where ${between} ${order} limit ${GAP_ROWS}`
  const place = sql.fragment`e.entry_ms::float8 as ms, e.entry_seq::float8 as seq, e.entry_index as index`
  return store.read(
    async (tx) => {
      const events = await tx.any(sql.type(PositionedRow)`
        select ${columns}, ${place} from (${rows}) e where ${matches(criteria)} ${order} limit ${limit}`)
      const last =
        events.length >= limit
          ? events.at(-1)
          : await tx.maybeOne(sql.type(Position)`
              select ${place} from (${rows}) e ${order} offset ${GAP_ROWS - 1} limit 1`)
      return { events, next: last ? { ms: last.ms, seq: last.seq, index: last.index } : null }
    },
    { settings: settingsFor({ by: 'walk' }) },
  )
}

function withinRange({ since, until }: Criteria): FragmentSqlToken[] {
  const found: FragmentSqlToken[] = []
  if (since !== null) found.push(sql.fragment`e.occurred >= ${since}::timestamptz`)
  if (until !== null) found.push(sql.fragment`e.occurred <= ${until}::timestamptz`)
  return found
}
