import { createFold, type Fold, indexesOf, withDependencies } from '#src/consumer/fold.ts'
import { ProjectedEvent } from '#src/consumer/projected-event.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { RebuildRefused } from '#src/errors.ts'
import type { EventRecord } from '#src/events/record.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import { type TableColumn, tableColumns } from '#src/store/table-columns.ts'
import type { FrozenRows } from './frozen-rows.ts'
import type { EventSource, PlacedEvent } from './merge.ts'
import { UnitRows } from './unit-rows.ts'

/** An event that a projection fails on. */
export interface FailedEvent {
  readonly projection: Projection
  readonly event: PlacedEvent
  readonly reason: string
}

export interface FoldNeeds {
  /** Those to fold; what they look into is folded along. */
  readonly projections: readonly Projection[]
  readonly source: EventSource
  readonly frozen: ReadonlyMap<string, FrozenRows>
  /** Of their tables, and of those that are folded along. */
  readonly columns: ReadonlyMap<Projection, readonly TableColumn[]>
  /** Events that a projection doesn't get, since they are its dead letters: by `placeText`, names of projections. */
  readonly leftOut: ReadonlyMap<string, ReadonlySet<string>>
  /** Where the order is strict: whether later events of a resource wait behind one that failed, or it alone is passed over. */
  readonly waits: boolean
  /** Told of each event that a projection fails on, and of each that waits behind one; it may throw to stop. */
  readonly onFailure: (failed: FailedEvent) => void
  /** Told how many events were read since the last time. */
  readonly onEvents: (count: number) => void
  readonly signal: AbortSignal
}

/** What a stretch of the log makes of nothing. Its rows are to be closed. */
export interface Folded {
  readonly rows: ReadonlyMap<Projection, UnitRows>
  readonly events: number
}

/** Folds a source to its end. */
export async function foldStretch(needs: FoldNeeds): Promise<Folded> {
  const rows = new Map<Projection, UnitRows>()
  try {
    return { rows, events: await foldInto(rows, needs) }
  } catch (error) {
    closeRows(rows)
    throw error
  }
}

export function closeRows(rows: ReadonlyMap<Projection, UnitRows>): void {
  for (const each of rows.values()) each.close()
}

async function foldInto(rows: Map<Projection, UnitRows>, needs: FoldNeeds): Promise<number> {
  const { source, frozen, columns, onEvents, signal } = needs
  const projections = withDependencies(needs.projections)
  const fold = createFold(projections, (projection) => {
    const indexes = indexesOf(projection, projections)
    const made = new UnitRows(projection, columns.get(projection) ?? [], indexes, frozen.get(projection.name))
    rows.set(projection, made)
    return made
  })
  const apply = applier(fold, needs)
  const all = [...rows.values()]
  let events = 0
  for await (const batch of source) {
    signal.throwIfAborted()
    for (const event of batch) {
      if (!fold.takes(event.event)) continue
      apply(event)
      for (const each of all) each.makeRoom()
    }
    events += batch.length
    onEvents(batch.length)
  }
  for (const each of all) each.finish()
  return events
}

/** The columns of projections' tables, and of those that they look into. */
export async function columnsOf(
  db: Queryable,
  projections: readonly Projection[],
): Promise<ReadonlyMap<Projection, readonly TableColumn[]>> {
  const columns = new Map<Projection, readonly TableColumn[]>()
  for (const projection of withDependencies(projections))
    columns.set(projection, await tableColumns(db, projection.table, Object.keys(projection.row.properties)))
  return columns
}

/** Applies one event after another to every projection that is to have it. */
function applier(fold: Fold, { leftOut, waits, onFailure }: FoldNeeds): (placed: PlacedEvent) => void {
  /** Ordering keys whose later events wait behind one that failed. */
  const waiting = new Map<Projection, Set<string>>()
  let placed: PlacedEvent
  let event: ProjectedEvent
  let without: ReadonlySet<string> | undefined

  function fail(projection: Projection, error: unknown): void {
    if (error instanceof RebuildRefused) throw error // no event is to blame for it
    onFailure({ projection, event: placed, reason: error instanceof Error ? error.message : String(error) })
    if (!waits || projection.order === 'loose') return
    if (!waiting.has(projection)) waiting.set(projection, new Set())
    waiting.get(projection)?.add(event.orderingKey)
  }
  function isLeftOut(projection: Projection): boolean {
    if (without?.has(projection.name)) return true
    if (waiting.get(projection)?.has(event.orderingKey) !== true) return false
    if (projection.stepFor(event.event) !== null)
      onFailure({ projection, event: placed, reason: 'waits behind an earlier dead letter of the same resource' })
    return true
  }
  return (next) => {
    placed = next
    event = new ProjectedEvent(placed, placed)
    without = leftOut.size === 0 ? undefined : leftOut.get(placeText(placed))
    fold.apply(event, fail, without === undefined && waiting.size === 0 ? undefined : isLeftOut)
  }
}

/** Names an event's place. */
export function placeText({ partition, ms, seq, index }: Omit<PlacedEvent, keyof EventRecord | 'received'>): string {
  return `${partition}/${ms}-${seq}/${index}`
}
