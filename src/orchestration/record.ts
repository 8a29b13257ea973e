/**
 * Decides commands to what is made, changed and deleted, and has no rules of its own: flows, variables, work pools …
 * Pure, like all decisions.
 */
import { type Event, RESOURCE_ID, type Resource } from '#src/events/event.ts'
import { changedFields, type Decision, type DecisionContext } from './decision.ts'

/** What every row of an aggregate has. */
export interface AggregateRow {
  readonly id: string
  readonly version: number
  readonly created: string
  readonly updated: string
}

/** How the events of a kind of record look. */
export interface RecordKind<Row extends AggregateRow> {
  /** As in `prefect.flow.<id>` and `prefect.flow.created`. */
  readonly kind: string
  /** What the names of its events begin with; `prefect` where Prefect's server has such events. */
  readonly from: 'prefect' | 'millrace'
  /** Under which events carry the fields that they set. */
  readonly payload: string
  /** The labels of its resource, beside its id; its name at the least. */
  labels(row: Row): Resource
  related(row: Row): readonly Resource[]
  /**
   * Fields that say how it fares, not what it is: their change has an event of its own, and leaves `updated` as it was.
   */
  readonly condition?: {
    readonly fields: readonly (keyof Row & string)[]
    /** The event's whole name. */
    event(before: Row, after: Row): string
  }
}

/** New values of fields, or what makes them of the row as it is when that is decided. */
export type Changes<Row> =
  | Partial<Omit<Row, keyof AggregateRow>>
  | ((row: Row, context: DecisionContext) => Partial<Omit<Row, keyof AggregateRow>>)

export type RecordCommand<Row extends AggregateRow> =
  /** Does nothing when it is there. */
  | { readonly type: 'create'; readonly fields: Omit<Row, 'version' | 'created' | 'updated'> }
  /** Changes the given fields. Makes no event when they are as they were. */
  | { readonly type: 'update'; readonly changes: Changes<Row> }
  /** @param onlyIf looks at the row when that is decided; nothing is done, and the row is answered, when it says no */
  | { readonly type: 'delete'; readonly onlyIf?: (row: Row, context: DecisionContext) => boolean }

/** The row as it is now, null for none; and whether this command made it. */
export interface RecordAnswer<Row> {
  readonly row: Row | null
  readonly isNew: boolean
}

export function decideRecord<Row extends AggregateRow>(
  kind: RecordKind<Row>,
  row: Row | null,
  command: RecordCommand<Row>,
  context: DecisionContext,
): Decision<RecordAnswer<Row>> {
  const { now, lastVersion } = context
  if (command.type === 'create') {
    if (row !== null) return { events: [], answer: { row, isNew: false } }
    const made = { ...command.fields, version: lastVersion + 1, created: now, updated: now } as unknown as Row
    return { events: [eventOf(kind, 'created', null, made, context)], answer: { row: made, isNew: true } }
  }
  if (row === null) return { events: [], answer: { row: null, isNew: false } }
  if (command.type === 'delete') {
    if (command.onlyIf?.(row, context) === false) return { events: [], answer: { row, isNew: false } }
    return { events: [eventOf(kind, 'deleted', row, row, context)], answer: { row: null, isNew: false } }
  }
  return update(kind, row, command.changes, context)
}

function update<Row extends AggregateRow>(
  kind: RecordKind<Row>,
  row: Row,
  wanted: Changes<Row>,
  context: DecisionContext,
): Decision<RecordAnswer<Row>> {
  const changes = changedFields(row, { ...row, ...(typeof wanted === 'function' ? wanted(row, context) : wanted) })
  const isCondition = (name: string) => kind.condition?.fields.some((field) => field === name) === true
  const [condition, others] = split(changes, isCondition)
  const events: Event[] = []
  let after = row
  if (others !== null) {
    const updated = context.now > row.updated ? context.now : row.updated
    after = { ...after, ...others, version: after.version + 1, updated }
    events.push(eventOf(kind, 'updated', row, after, context))
  }
  if (condition !== null && kind.condition !== undefined) {
    const before = after
    after = { ...before, ...condition, version: before.version + 1 }
    const event = eventOf(kind, 'updated', before, after, context)
    events.push({ ...event, occurred: context.now, event: kind.condition.event(before, after) })
  }
  return { events, answer: { row: after, isNew: false } }
}

/** The fields that are chosen and those that are not; null for none. */
function split<Row>(changes: Partial<Row>, chosen: (name: string) => boolean): (Partial<Row> | null)[] {
  const entries = Object.entries(changes)
  return [true, false].map((wanted) => {
    const those = entries.filter(([name]) => chosen(name) === wanted)
    return those.length === 0 ? null : (Object.fromEntries(those) as Partial<Row>)
  })
}

function eventOf<Row extends AggregateRow>(
  kind: RecordKind<Row>,
  what: 'created' | 'updated' | 'deleted',
  before: Row | null,
  after: Row,
  { now, newId }: DecisionContext,
): Event {
  return {
    id: newId(),
    occurred: what === 'deleted' ? now : after.updated,
    event: `${kind.from}.${kind.kind}.${what}`,
    resource: { [RESOURCE_ID]: resourceIdOf(kind, after.id), ...kind.labels(after) },
    related: [...kind.related(after)],
    payload: what === 'deleted' ? {} : { ...changesOf(before, after), [kind.payload]: changedFields(before, after) },
    follows: null,
  }
}

/** What Prefect's events of updates say. */
function changesOf<Row extends AggregateRow>(before: Row | null, after: Row): Readonly<Record<string, unknown>> {
  if (before === null) return {}
  const { version: _version, updated: _updated, ...changes } = changedFields(before, after)
  const names = Object.keys(changes) as (keyof Row & string)[]
  return {
    updated_fields: names,
    updates: Object.fromEntries(names.map((name) => [name, { from: before[name], to: after[name] }])),
  }
}

/** The id of a record's resource: by it its events are ordered and counted. */
export function resourceIdOf({ kind }: Pick<RecordKind<AggregateRow>, 'kind'>, id: string): string {
  return `prefect.${kind}.${id}`
}
