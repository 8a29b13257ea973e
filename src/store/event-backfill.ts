/** Events of the log for a live reader: those before its first live one, and those it missed, in the order it needs. */
import { Type } from '@sinclair/typebox'
import type { DatabaseTransactionConnection } from 'slonik'
import type { Criteria } from '#src/events/filter.ts'
import type { CheckpointPosition } from './checkpoint.ts'
import { columns, type StoredEvent, StoredRow } from './event-query/columns.ts'
import { and } from './event-query/fragments.ts'
import { matches } from './event-query/where.ts'
import { type FragmentSqlToken, row, sql } from './sql.ts'

/** An event's place in a partition: that of its entry, and its own in the entry's batch. */
export interface EventPosition extends CheckpointPosition {
  readonly index: number
}

/** After every event of an entry. */
export const LAST_INDEX = 2_147_483_647

/** Begins after an event, or at the beginning. */
export interface BackfillPage {
  readonly criteria: Criteria
  /** For each partition the last position that is wanted. */
  readonly through: readonly CheckpointPosition[]
  readonly after: Pick<StoredEvent, 'occurred' | 'id'> | null
  readonly limit: number
}

/** Events that match, by the time they occurred, that were appended up to a position; a page at a time. */
export async function readBackfill(
  tx: DatabaseTransactionConnection,
  page: BackfillPage,
): Promise<readonly StoredEvent[]> {
  const { criteria, through, after, limit } = page
  const ms = sql.array(
    through.map((position) => position.ms),
    'int8',
  )
  const seq = sql.array(
    through.map((position) => position.seq),
    'int8',
  )
  const conditions = [...withinRange(criteria), matches(criteria)]
  conditions.push(sql.fragment`(e.entry_ms, e.entry_seq) <= ((${ms})[e.partition + 1], (${seq})[e.partition + 1])`)
  if (after !== null)
    conditions.push(sql.fragment`(e.occurred, e.id) > (${after.occurred}::timestamptz, ${after.id}::uuid)`)
  return tx.any(sql.type(StoredRow)`
    select ${columns} from event e where ${and(conditions)} order by e.occurred, e.id limit ${limit}`)
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
    ms: Type.Number(),
    seq: Type.Number(),
    index: Type.Integer(),
  }),
)

/** Events that match, in the order in which they were appended, and where the next page begins; null when there is none. */
export async function readGap(
  tx: DatabaseTransactionConnection,
  page: GapPage,
): Promise<{ readonly events: readonly StoredEvent[]; readonly next: EventPosition | null }> {
  const { criteria, partition, after, through, limit } = page
  const wanted = and([
    sql.fragment`e.partition = ${partition}`,
    sql.fragment`(e.entry_ms, e.entry_seq, e.entry_index) > (${after.ms}, ${after.seq}, ${after.index})`,
    sql.fragment`(e.entry_ms, e.entry_seq) <= (${through.ms}, ${through.seq})`,
    ...withinRange(criteria),
    matches(criteria),
  ])
  const events = await tx.any(sql.type(PositionedRow)`
    select ${columns}, e.entry_ms::float8 as ms, e.entry_seq::float8 as seq, e.entry_index as index
    from event e where ${wanted} order by e.entry_ms, e.entry_seq, e.entry_index limit ${limit}`)
  const last = events.length < limit ? undefined : events.at(-1)
  return { events, next: last === undefined ? null : { ms: last.ms, seq: last.seq, index: last.index } }
}

function withinRange({ since, until }: Criteria): FragmentSqlToken[] {
  const found: FragmentSqlToken[] = []
  if (since !== null) found.push(sql.fragment`e.occurred >= ${since}::timestamptz`)
  if (until !== null) found.push(sql.fragment`e.occurred <= ${until}::timestamptz`)
  return found
}
