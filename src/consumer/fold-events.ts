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
  const fold = createMemoryFold(projections)
  for (const event of events) fold.apply(event)
  return fold.rows()
}

/** The same, event by event, for tests that look at the rows in between. */
export interface MemoryFold {
  /** @throws what a projection throws */
  apply(event: Event): void
  /** The rows of each projection by its name, in the order of their keys. */
  rows(): ReadonlyMap<string, Row[]>
}

export function createMemoryFold(projections: readonly Projection[]): MemoryFold {
  const all = withDependencies(projections)
  const tables = new Map(all.map((projection) => [projection, new MemoryRows(projection, indexesOf(projection, all))]))
  const fold = createFold(all, (projection) => tables.get(projection) as MemoryRows)
  let seq = 0
  return {
    apply(event) {
      fold.apply(projected(event, seq++), (_, error) => {
        throw error
      })
    },
    rows: () => new Map([...tables].map(([{ name }, { rows }]) => [name, inOrder(rows)])),
  }
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
  return new ProjectedEvent(record, { partition: 0, ms: 1, seq, index: 0, received: occurred })
}
