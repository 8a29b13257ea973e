import type { PoolClient } from 'pg'
import { type Entry, sliceEntry } from '#src/bus/index.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import type { DeadLetter } from '#src/store/dead-letter.ts'
import { findRepeats } from '#src/store/event-repeats.ts'
import { type BatchEvent, eventsOf } from './batch-events.ts'
import { lettersOf } from './careful.ts'
import { dispositionOf } from './disposition.ts'
import { createFold, type Fold, indexesOf, type Want } from './fold.ts'
import type { Position, Projection } from './projection.ts'
import { NotLoaded, TableRows } from './table-rows.ts'
import { lettersGroup, type WaitingKeys } from './waiting-keys.ts'

/** Several projections with their tables: what a batch is folded into. */
export interface Folding {
  readonly projections: readonly Projection[]
  readonly fold: Fold
  /** Of the projections, and of those that they look into. */
  readonly tables: ReadonlyMap<Projection, TableRows>
}

/** How a batch is to be recorded. */
export interface How {
  /** Rows are held from their reading on, since others write them as well. */
  readonly lock: boolean
  /** What waits behind a dead letter; null for a replay of what has waited. */
  readonly waiting: Pick<WaitingKeys, 'has' | 'add'> | null
  /** Projections that are not to have an event, and file nothing for it. */
  readonly leaves?: (projection: Projection, position: Position) => boolean
  /** Projections that are not to have these events, each with the reason under which these are filed for it. */
  readonly refused?: ReadonlyMap<Projection, string>
  /** Told how long the reading and the writing of a projection's rows took. */
  readonly onTable: (projection: Projection, seconds: number) => void
}

/** A projection that can't have an event: its table refuses the rows. */
export class ProjectionFailed extends Error {
  readonly projection: Projection
  /** Of Postgres, by which the failure is judged. */
  readonly code: string | undefined

  constructor(projection: Projection, cause: unknown) {
    const { code, message } = cause as { code?: string; message?: string }
    super(code === undefined ? message : `${message} (${code})`, { cause })
    this.projection = projection
    this.code = code
  }
}

/** Opens the tables of projections. @throws Error when one is missing */
export async function openFolding(db: Queryable, projections: readonly Projection[]): Promise<Folding> {
  const tables = new Map<Projection, TableRows>()
  const all = createFold(projections, () => NO_ROWS).projections
  for (const projection of all) tables.set(projection, await TableRows.open(db, projection, indexesOf(projection, all)))
  return { projections, tables, fold: createFold(projections, (projection) => tables.get(projection) as TableRows) }
}

/**
 * Folds the events of entries into the tables of projections: loads the rows that they concern, folds in memory, writes
 * each row that changed once.
 * @returns dead letters: for each projection the events that it threw at, and those that wait behind them
 * @throws ProjectionFailed when a table refuses what came of it
 */
export async function recordBatch(
  client: PoolClient,
  { projections, fold, tables }: Folding,
  entries: readonly Entry[],
  how: How,
): Promise<DeadLetter[]> {
  const taking = new Set(projections) // not those that are only looked into
  const taken = eventsOf(entries, (name) => fold.takersOf(name).some((projection) => taking.has(projection)))
  const repeats = await findRepeats(
    client,
    taken.map(({ event }) => event),
  )
  const events = repeats.size === 0 ? taken : taken.filter((_, i) => !repeats.has(i))
  for (const rows of tables.values()) rows.clear()
  const want: Want = (of, columns, key) => tables.get(of)?.want(columns, key)
  const isOut = (projection: Projection) => !taking.has(projection) || how.refused?.has(projection) === true
  for (const { event } of events) fold.ask(event, want, isOut)
  await onEach(tables, how, (rows) => rows.load(client, how.lock))
  for (;;) {
    const letters = foldAll(fold, taking, events, how)
    if (letters !== null) {
      await onEach(tables, how, (rows) => rows.write(client))
      how.waiting?.add(letters)
      return letters
    }
    for (const rows of tables.values()) rows.reset()
    await onEach(tables, how, (rows) => rows.load(client, how.lock))
  }
}

/** Null when rows are missing that nobody knew to be needed: they are asked for now. */
function foldAll(
  fold: Fold,
  taking: ReadonlySet<Projection>,
  events: readonly BatchEvent[],
  { waiting, refused, leaves }: How,
): DeadLetter[] | null {
  const letters: DeadLetter[] = []
  const failed = new Map<Projection, Set<string>>()
  let isWhole = true
  let current = events[0] as BatchEvent

  function file(projection: Projection, reason: string): void {
    if (waiting === null) throw new Error(reason)
    const { event, entry, at } = current
    letters.push(...lettersOf(sliceEntry(entry, at, at + 1), lettersGroup(projection), reason))
    if (projection.order === 'loose') return
    const keys = failed.get(projection) ?? new Set()
    failed.set(projection, keys.add(event.orderingKey))
  }
  const key = () => current.event.orderingKey
  function isLeftOut(projection: Projection): boolean {
    if (!taking.has(projection)) return true
    if (leaves?.(projection, current.event.position)) return true
    const hasToWait =
      (failed.size > 0 && failed.get(projection)?.has(key())) || waiting?.has(projection, current.entry.partition, key)
    const reason = hasToWait ? WAITS : refused?.get(projection)
    if (reason !== undefined) file(projection, reason)
    return reason !== undefined
  }
  function onFailure(projection: Projection, error: unknown): void {
    if (error instanceof NotLoaded) isWhole = false
    else file(projection, error instanceof Error ? error.message : String(error))
  }

  for (current of events) fold.apply(current.event, onFailure, isLeftOut)
  return isWhole ? letters : null
}

const WAITS = 'waits behind an earlier dead letter of the same resource'

async function onEach(tables: Folding['tables'], { onTable }: How, run: (rows: TableRows) => Promise<boolean>) {
  for (const [projection, rows] of tables) {
    const began = performance.now()
    try {
      if (await run(rows)) onTable(projection, (performance.now() - began) / 1_000)
    } catch (error) {
      throw dispositionOf(error) === 'park' ? new ProjectionFailed(projection, error) : error
    }
  }
}

/** For a fold of which only the order of projections is wanted. */
const NO_ROWS = { get: () => null, find: () => null, set: () => {} }
