import type { KeyCheck } from '#src/store/row-check.ts'
import type { Found, Key, Lookup, ProjectedEvent, Projection, Row, Step, StepContext } from './projection.ts'
import { cleanRow, columnsText, keyParts, partsText, type Rows, rowKeyText, textColumns } from './rows.ts'

/** Folds events into the rows of several projections, each event into all of them before the next one. */
export interface Fold {
  /** In the order in which each sees an event: those that are looked up come first. */
  readonly projections: readonly Projection[]
  /** True when some projection takes events of this name; the others need not even be decoded. */
  takes(event: string): boolean
  /** Those that take events of this name, in their order. */
  takersOf(event: string): readonly Projection[]
  /** Asks for what an event concerns, as far as it is known before any row is. What fails here fails in `apply`, which tells of it. */
  ask(event: ProjectedEvent, want: Want, skip?: Skip): void
  /**
   * Folds one event. Where a projection fails nothing of its own changes, `onFailure` is told, and the others go on.
   * @param only folds into this projection alone
   */
  apply(event: ProjectedEvent, onFailure: (projection: Projection, error: unknown) => void, skip?: Skip): void
}

/** Wants the row of a projection that has these values in these columns. */
export type Want = (projection: Projection, columns: readonly string[], key: Key) => void

/** Projections that are not to have an event. */
export type Skip = (projection: Projection) => boolean

interface Folding {
  readonly projection: Projection
  readonly rows: Rows
  readonly lookups: readonly LookupIn[]
  readonly keyCheck: KeyCheck | undefined
  readonly textColumns: readonly string[]
}

/** Who takes events of a name. */
interface Taking {
  readonly takers: readonly { readonly folding: Folding; readonly step: Step }[]
  readonly projections: readonly Projection[]
}

interface LookupIn {
  readonly name: string
  readonly lookup: Lookup
  readonly in: Projection
  readonly columns: string
  readonly keyCheck: KeyCheck | undefined
  readonly rows: Rows
}

/** Names of events come from outside: what is remembered of them is bounded. */
const MOST_NAMES = 10_000
const NOTHING_FOUND: Found = Object.freeze({})

/**
 * Makes a fold of projections, and of those that they look into.
 * @param rowsOf the rows of each: what is there before the first event, and where the result is found
 */
export function createFold(wanted: readonly Projection[], rowsOf: (projection: Projection) => Rows): Fold {
  const projections = withDependencies(wanted)
  const rowsBy = new Map(projections.map((projection) => [projection, rowsOf(projection)]))
  const foldings = projections.map((projection): Folding => {
    const rows = rowsBy.get(projection) as Rows
    return {
      projection,
      rows,
      lookups: Object.entries(projection.lookups).map(([name, lookup]) => lookupIn(name, lookup, projection)),
      keyCheck: rows.check?.keyCheck(projection.keyColumns),
      textColumns: textColumns(projection),
    }
  })
  const byName = new Map<string, Taking>()

  function lookupIn(name: string, lookup: Lookup, projection: Projection): LookupIn {
    const { columns } = lookup
    const within = lookup.in ?? projection
    const rows = rowsBy.get(within) as Rows
    const keyCheck = rows.check?.keyCheck(columns)
    return { name, lookup, in: within, columns: columnsText(columns), keyCheck, rows }
  }

  function taking(event: string): Taking {
    const known = byName.get(event)
    if (known !== undefined) return known
    const takers = foldings.flatMap((folding) => {
      const step = folding.projection.stepFor(event)
      return step === null ? [] : [{ folding, step }]
    })
    const found = { takers, projections: takers.map(({ folding }) => folding.projection) }
    if (byName.size >= MOST_NAMES) byName.clear()
    byName.set(event, found)
    return found
  }

  return {
    projections,
    takes: (event) => taking(event).takers.length > 0,
    takersOf: (event) => taking(event).projections,
    ask(event, want, skip) {
      for (const { folding } of taking(event.event).takers) {
        if (skip?.(folding.projection)) continue
        try {
          askFor(folding, event, want)
        } catch {
          // The fold meets the same failure, and says what becomes of the event.
        }
      }
    },
    apply(event, onFailure, skip) {
      for (const { folding, step } of taking(event.event).takers) {
        if (skip?.(folding.projection)) continue
        try {
          foldInto(folding, step, event)
        } catch (error) {
          onFailure(folding.projection, error)
        }
      }
    },
  }
}

/** All rows first, then all changes: an event that fails half-way changes nothing. */
function foldInto(folding: Folding, step: Step, event: ProjectedEvent): void {
  const { projection, rows, lookups } = folding
  const found = lookups.length === 0 ? NOTHING_FOUND : lookUp(lookups, event)
  const changes = projection
    .keysOf(event, found)
    .map((key) => changeOf(folding, step, event, { key: keyParts(key), found }))
  for (const change of changes) if (change !== null) rows.set(change.key, change.row)
}

interface Change {
  readonly key: string
  readonly row: Row | null
}

/** What an event makes of the row of one key; null when nothing changes. */
function changeOf(
  { projection, rows, keyCheck, textColumns }: Folding,
  step: Step,
  event: ProjectedEvent,
  context: StepContext,
): Change | null {
  const key = partsText(context.key)
  if (rows.isFrozen?.(key) === true) return null
  assertFits(keyCheck?.(context.key))
  const before = rows.get(key)
  const next = step.evolve(before, event, context)
  if (next === before) return null
  if (next === null) return { key, row: null }
  const row = cleanRow(next, before, textColumns)
  if (rowKeyText(row, projection.keyColumns) !== key)
    throw new TypeError('it made a row under another key than its own')
  assertFits(rows.check?.refusalOf(row, before))
  return { key, row }
}

/** @throws TypeError with what a table refuses */
function assertFits(refusal: string | null | undefined): void {
  if (refusal) throw new TypeError(refusal)
}

function askFor({ projection, lookups }: Folding, event: ProjectedEvent, want: Want): void {
  let found = NOTHING_FOUND
  if (lookups.length > 0) {
    const nothing: Record<string, null> = {}
    for (const { name, lookup, in: of } of lookups) {
      nothing[name] = null
      const value = lookup.of(event)
      if (value !== null) want(of, lookup.columns, value)
    }
    found = nothing
  }
  for (const key of projection.keysOf(event, found)) want(projection, projection.keyColumns, key)
}

function lookUp(lookups: readonly LookupIn[], event: ProjectedEvent): Found {
  const found: Record<string, Row | null> = {}
  for (const { name, lookup, columns, keyCheck, rows } of lookups) {
    found[name] = null
    const value = lookup.of(event)
    if (value === null) continue
    const parts = keyParts(value)
    assertFits(keyCheck?.(parts))
    found[name] = rows.find(columns, partsText(parts))
  }
  return found
}

/**
 * Projections with all that they look into, each after those that it looks into.
 * @throws TypeError when two look into each other
 */
export function withDependencies(projections: readonly Projection[]): Projection[] {
  const sorted: Projection[] = []
  const under = new Set<Projection>()
  const visit = (projection: Projection): void => {
    if (sorted.includes(projection)) return
    if (under.has(projection)) throw new TypeError(`the projection ${projection.name} looks into itself by a detour`)
    under.add(projection)
    for (const lookup of Object.values(projection.lookups)) if (lookup.in) visit(lookup.in)
    sorted.push(projection)
  }
  for (const projection of projections) visit(projection)
  return sorted
}

/** Whether one of these projections looks rows of it up, by whichever columns. */
export function isLookedInto(projection: Projection, all: readonly Projection[]): boolean {
  return all.some((other) => Object.values(other.lookups).some((lookup) => (lookup.in ?? other) === projection))
}

/** Whether any of these projections takes events of this name. */
export function isTaken(projections: readonly Projection[], name: string): boolean {
  return projections.some((projection) => projection.stepFor(name) !== null)
}

/** The lists of columns by which rows of a projection are found: its key, and what is looked up in it. */
export function indexesOf(projection: Projection, all: readonly Projection[]): (readonly string[])[] {
  const lists = new Map([[columnsText(projection.keyColumns), projection.keyColumns]])
  for (const other of all)
    for (const lookup of Object.values(other.lookups))
      if ((lookup.in ?? other) === projection) lists.set(columnsText(lookup.columns), lookup.columns)
  return [...lists.values()]
}
