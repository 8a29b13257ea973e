/** Compares the tables of projections with what the same events give in memory, in whatever order their keys mix. */
import assert from 'node:assert/strict'
import { foldEvents } from '#src/consumer/fold-events.ts'
import type { Projection, Row } from '#src/consumer/projection.ts'

import type { Event } from '#src/events/event.ts'
import { orderingKey } from '#src/events/ordering-key.ts'
import { cleanJson, cleanText } from '#src/events/storable.ts'
import type { Store } from '#src/store/pool.ts'
import { rowTable } from '#src/store/row-table.ts'
import { sql } from '#src/store/sql.ts'
import type { Random } from '../faults/harness/random.ts'

/** Each event once, where it came first. */
export function firstCopies(events: readonly Event[]): Event[] {
  return [...new Map(events.toReversed().map((event) => [event.id, event])).values()].reverse()
}

/** The same histories in another order: that of each ordering key stays. */
export function mixed(random: Random, events: readonly Event[]): Event[] {
  const lists = [...Map.groupBy(events, orderingKey).values()].map((list) => ({ list, at: 0 }))
  const all: Event[] = []
  while (lists.length > 0) {
    const i = random.below(lists.length)
    const one = lists[i] as (typeof lists)[number]
    const until = Math.min(one.list.length, one.at + 1 + random.below(4))
    all.push(...one.list.slice(one.at, until))
    one.at = until
    if (until === one.list.length) lists.splice(i, 1)
  }
  return all
}

/** Every row of every table, against the fold of the events in memory. */
export async function assertSameTables(
  store: Store,
  projections: readonly Projection[],
  events: readonly Event[],
): Promise<number> {
  const expected = foldEvents(projections, events)
  let count = 0
  for (const projection of projections) {
    const table = rowTable<Row>(projection.table, projection.row.properties)
    const found = await store.read((tx) => table.select(tx, sql.fragment`true`))
    const wanted = expected.get(projection.name) ?? []
    assert.deepEqual(inOrder(projection, found), inOrder(projection, wanted), `the table of ${projection.name}`)
    assert.ok(found.length > 0, `no row in the table of ${projection.name}`)
    count += found.length
  }
  return count
}

/** By key, and as they are in JSON that can be stored: what is undefined isn't there. */
function inOrder({ keyColumns }: Projection, rows: readonly Row[]): unknown[] {
  const keyOf = (row: Row) => keyColumns.map((column) => cleanText(String(row[column]))).join('\0')
  return [...rows]
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    .map((row) => JSON.parse(cleanJson(JSON.stringify(Object.fromEntries(Object.entries(row).sort())))))
}
