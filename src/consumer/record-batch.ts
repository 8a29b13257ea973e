import type { PoolClient } from 'pg'
import { type Entry, sliceEntry } from '#src/bus/index.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import type { DeadLetter } from '#src/store/dead-letter.ts'
import { findRepeats } from '#src/store/event-repeats.ts'
import { together } from '#src/store/together.ts'
import { type BatchEvent, eventsOf } from './batch-events.ts'
import { lettersOf, waitingLetters } from './careful.ts'
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
  /** Nothing waits behind what fails: somebody has discarded it before. */
  readonly passesOver?: boolean
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

/** New rows of one table that are inserted with everything else in one round trip; more are faster by COPY. */
const MOST_TOGETHER = 100

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
  for (const rows of tables.values()) rows.clear()
  const want: Want = (of, columns, key) => tables.get(of)?.want(columns, key)
  const isOut = (projection: Projection) => !taking.has(projection) || how.refused?.has(projection) === true
  for (const { event } of taken) fold.ask(event, want, isOut)
  const lap = stopwatch()
  const load = onEach(tables, how, lap, (rows) => rows.load(client, how.lock))
  const met = taken.map(({ event }) => event)
  let repeats: ReadonlySet<number> = new Set()
  await together(client, [
    async () => {
      repeats = await findRepeats(client, met)
      lap()
    },
    ...load,
  ])
  const events = repeats.size === 0 ? taken : taken.filter((_, i) => !repeats.has(i))
  for (;;) {
    const letters = foldAll(fold, taking, events, how)
    if (letters !== null) {
      await writeAll(client, tables, how)
      how.waiting?.add(letters)
      return letters
    }
    for (const rows of tables.values()) rows.reset()
    lap()
    await together(client, load)
  }
}

async function writeAll(client: PoolClient, tables: Folding['tables'], how: How): Promise<void> {
  const isMany = [...tables.values()].some((rows) => rows.madeCount > MOST_TOGETHER)
  const write = (rows: TableRows) => (isMany ? rows.writeMany(client) : rows.write(client))
  const steps = onEach(tables, how, stopwatch(), write)
  if (!isMany) await together(client, steps)
  else for (const step of steps) await step()
}

/** Null when rows are missing that nobody knew to be needed: they are asked for now. */
function foldAll(
  fold: Fold,
  taking: ReadonlySet<Projection>,
  events: readonly BatchEvent[],
  { waiting, passesOver = false, refused, leaves }: How,
): DeadLetter[] | null {
  const letters: DeadLetter[] = []
  const failed = new Map<Projection, Set<string>>()
  let isWhole = true
  let current = events[0] as BatchEvent

  function file(projection: Projection, reason: string | null): void {
    if (waiting === null) throw new Error(reason ?? 'it has to wait')
    const { event, entry, at } = current
    const [single, group] = [sliceEntry(entry, at, at + 1), lettersGroup(projection)]
    letters.push(...(reason === null ? waitingLetters(single, group) : lettersOf(single, group, reason)))
    if (projection.order === 'loose' || passesOver) return
    const keys = failed.get(projection) ?? new Set()
    failed.set(projection, keys.add(event.orderingKey))
  }
  const key = () => current.event.orderingKey
  function isLeftOut(projection: Projection): boolean {
    if (!taking.has(projection)) return true
    if (leaves?.(projection, current.event.position)) return true
    const hasToWait =
      (failed.size > 0 && failed.get(projection)?.has(key())) || waiting?.has(projection, current.entry.partition, key)
    const reason = hasToWait ? null : refused?.get(projection)
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

/**
 * A step for each table. Answers come one after another, so what a table takes is the time since the answer before.
 * @param lap begun anew before the steps are
 */
function onEach(
  tables: Folding['tables'],
  { onTable }: How,
  lap: () => number,
  run: (rows: TableRows) => Promise<boolean>,
): (() => Promise<void>)[] {
  return [...tables].map(([projection, rows]) => async () => {
    try {
      const did = await run(rows)
      const seconds = lap()
      if (did) onTable(projection, seconds)
    } catch (error) {
      throw dispositionOf(error) === 'park' ? new ProjectionFailed(projection, error) : error
    }
  })
}

/** Gives the seconds since it was called before. */
function stopwatch(): () => number {
  let sinceMs = performance.now()
  return () => {
    const beforeMs = sinceMs
    sinceMs = performance.now()
    return (sinceMs - beforeMs) / 1_000
  }
}

/** For a fold of which only the order of projections is wanted. */
const NO_ROWS = { get: () => null, find: () => null, set: () => {} }
