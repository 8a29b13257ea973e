/**
 * What a projection is: a read model made from events by a pure function. `projections/` has one file for each; the
 * recorder keeps their tables up to date, and a rebuild makes them anew with the same functions. docs/projections.md
 * says how to add one.
 */
import type { Static, TObject } from '@sinclair/typebox'
import type { EventDefinition } from '#src/events/define-event.ts'
import type { ReceivedEvent } from '#src/events/event.ts'
import type { Position, ProjectedEvent } from './projected-event.ts'

export type { Position, ProjectedEvent } from './projected-event.ts'

/** A row as projections see it; what each column holds is said at `ProjectionOptions.row`. */
export type Row = Readonly<Record<string, unknown>>
export type KeyPart = string | number
/** The values of the key's columns, in their order; a single column's value may stand alone. */
export type Key = KeyPart | readonly KeyPart[]
/** The rows that a projection's lookups found for an event, each as it was when the event came; null where there was none. */
export type Found = Readonly<Record<string, Row | null>>

/**
 * How a row is found by something else than its table's key: `columns` must have a unique index. Rows are looked up in
 * the projection's own table, or in that of the projection named by `in`, which then sees each event first.
 */
export interface Lookup {
  readonly in?: Projection
  readonly columns: readonly string[]
  /** The values looked for, in the order of `columns`; null looks for nothing. */
  of(event: ProjectedEvent): Key | null
}

/** What becomes of a row when an event comes: the row as it will be, the same one when nothing changes, null for none. */
export interface Step<R extends Row = Row> {
  /** A name, or the beginning of names with `*` at its end; `*` takes every event. */
  readonly pattern: string
  /** Pure: it changes none of its arguments, and its answer depends on nothing else. */
  evolve(row: R | null, event: ProjectedEvent, context: StepContext): R | null
}

export interface StepContext {
  /** Values of the row's key columns. */
  readonly key: readonly KeyPart[]
  readonly found: Found
}

/** A projection as the engine works with it; made by `defineProjection`. */
export interface Projection {
  readonly name: string
  readonly version: number
  readonly table: string
  readonly row: TObject
  readonly keyColumns: readonly string[]
  readonly order: 'strict' | 'loose'
  /** The column that says since when a row is; null when none does. */
  readonly since: string | null
  readonly lookups: Readonly<Record<string, Lookup>>
  /** The step that takes events of a name; null when none does. */
  stepFor(event: string): Step | null
  /** Keys of the rows that an event concerns. @throws what the projection throws */
  keysOf(event: ProjectedEvent, found: Found): readonly Key[]
}

interface CommonOptions<S extends TObject> {
  /** Names it to operators, in checkpoints and dead letters; lower case and dashes, never reused for something else. */
  readonly name: string
  /** Raise it when rows made before should be made anew from the first event. */
  readonly version: number
  /** Its table, made by a migration. Nothing else writes to it. */
  readonly table: string
  /**
   * The table's columns, named as in the table. Strings of timestamptz columns are canonical instants, those of uuid
   * columns canonical UUIDs; `Type.Unknown`, `Type.Object` and `Type.Record` are columns of the type `json`. NUL
   * characters and lone surrogates, which Postgres can't hold, are replaced: in JSON when it is written.
   */
  readonly row: S
  /** Columns of the primary key. */
  readonly keyColumns: readonly (keyof Static<S> & string)[]
  /**
   * What becomes of later events of a resource after one that failed: with `strict` they wait behind it, so that its
   * replay finds the row as it was; with `loose`, for a fold that doesn't depend on the order, they go on.
   * `strict` when left out.
   */
  readonly order?: 'strict' | 'loose'
  /**
   * The column with the moment of a row's first event, or one before it. By it a rebuild tells the rows that began before
   * the oldest event that is still there, and carries them over; without it it carries over all of them.
   */
  readonly since?: keyof Static<S> & string
  readonly lookups?: Readonly<Record<string, Lookup>>
  /** Steps, tried in this order: the first whose pattern fits takes the event, and other events cost nothing. */
  evolve(on: On<Static<S> & Row>): readonly Step<Static<S> & Row>[]
}

/** Which rows an event concerns: one, or several. Called with nothing found at first, to learn what to load. */
type KeyOptions =
  | { key(event: ProjectedEvent, found: Found): Key | null; readonly keys?: never }
  | { keys(event: ProjectedEvent, found: Found): readonly Key[]; readonly key?: never }

/** Makes a step. It is handed to `evolve` rather than imported, so that it knows the type of the rows. */
export interface On<R extends Row> {
  /** For events of a name, or of names that begin alike: `prefect.task-run.*`. */
  (pattern: string, evolve: (row: R | null, event: ProjectedEvent, context: StepContext) => R | null): Step<R>
  /** For the kind of event that a definition describes, with the payload of today's version as `data`. */
  <Data>(
    definition: EventDefinition<Data>,
    evolve: (row: R | null, event: DefinedEvent<Data>, context: StepContext) => R | null,
  ): Step<R>
}

export type ProjectionOptions<S extends TObject> = CommonOptions<S> & KeyOptions

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const IDENTIFIER = /^[a-z_][a-z0-9_]*$/
const NONE: readonly Key[] = Object.freeze([])
/** Names of events come from outside: what is remembered of them is bounded. */
const MOST_NAMES = 10_000

/** Defines a projection. @throws TypeError that says what is wrong with the definition */
export function defineProjection<S extends TObject>(options: ProjectionOptions<S>): Projection {
  const { name, version, table, row, keyColumns, order = 'strict', since = null, lookups = {} } = options
  if (!NAME.test(name)) throw new TypeError(`a projection's name is lower case with dashes, not '${name}'`)
  if (!Number.isInteger(version) || version < 1) throw new TypeError(`${name}: versions are 1, 2, 3 …, not ${version}`)
  for (const identifier of [table, ...Object.keys(row.properties)])
    if (!IDENTIFIER.test(identifier)) throw new TypeError(`${name}: '${identifier}' is no lower-case SQL name`)
  if (keyColumns.length === 0 || !keyColumns.every((column) => column in row.properties))
    throw new TypeError(`${name}: each column of the key must be one of the row`)
  const steps: readonly Step[] = options.evolve(on)
  if (steps.length === 0) throw new TypeError(`${name}: it takes no event at all`)
  const known = new Map<string, Step | null>()
  return {
    name,
    version,
    table,
    row,
    keyColumns,
    order,
    since,
    lookups,
    stepFor(event) {
      let step = known.get(event)
      if (step === undefined) {
        step = steps.find(({ pattern }) => fits(pattern, event)) ?? null
        if (known.size >= MOST_NAMES) known.clear()
        known.set(event, step)
      }
      return step
    },
    keysOf(event, found) {
      if (options.keys !== undefined) return options.keys(event, found)
      const key = options.key(event, found)
      return key === null ? NONE : [key]
    },
  }
}

function on(event: string | EventDefinition, evolve: (...args: never[]) => Row | null): Step {
  const call = evolve as (row: Row | null, event: unknown, context: StepContext) => Row | null
  if (typeof event === 'string') return { pattern: event, evolve: call }
  return {
    pattern: event.type,
    evolve: (row, projected, context) => call(row, definedEvent(event, projected), context),
  }
}

/** An event of a kind that is defined. */
export interface DefinedEvent<Data> extends Omit<ReceivedEvent, 'payload'> {
  readonly data: Data
  readonly resourceId: string
  readonly position: Position
}

function definedEvent<Data>(definition: EventDefinition<Data>, projected: ProjectedEvent): DefinedEvent<Data> {
  const { id, occurred, event, resource, related, follows, received, resourceId, position } = projected
  const data = projected.read(definition)
  return { id, occurred, event, resource, related, follows, received, resourceId, position, data }
}

function fits(pattern: string, event: string): boolean {
  return pattern.endsWith('*') ? event.startsWith(pattern.slice(0, -1)) : event === pattern
}
