import { type Event, RESOURCE_ID } from '#src/events/event.ts'
import { createFold, indexesOf, withDependencies } from './fold.ts'
import { ProjectedEvent } from './projected-event.ts'
import type { Projection, Row } from './projection.ts'
import { MemoryRows } from './rows.ts'

/**
 * Folds events into projections in memory, as the recorder and a rebuild do, without servers: for tests of projections.
 * @returns the rows of each projection by its name, in the order of their keys
 * @throws what a projection throws
 */
export function foldEvents(projections: readonly Projection[], events: readonly Event[]): ReadonlyMap<string, Row[]> {
  const all = withDependencies(projections)
  const tables = new Map(all.map((projection) => [projection, new MemoryRows(projection, indexesOf(projection, all))]))
  const fold = createFold(all, (projection) => tables.get(projection) as MemoryRows)
  for (const [i, event] of events.entries())
    fold.apply(projected(event, i), (_, error) => {
      throw error
    })
  return new Map([...tables].map(([{ name }, { rows }]) => [name, inOrder(rows)]))
}

function inOrder(rows: ReadonlyMap<string, Row>): Row[] {
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)
}

function projected({ id, occurred, event, resource, related, payload, follows }: Event, seq: number): ProjectedEvent {
  const record = {
    id,
    occurred,
    event,
    follows,
    resourceId: resource[RESOURCE_ID] ?? '',
    resource: JSON.stringify(resource),
    related: JSON.stringify(related),
    payload: JSON.stringify(payload),
  }
  return new ProjectedEvent(record, occurred, { partition: 0, ms: 1, seq, index: 0 })
}
