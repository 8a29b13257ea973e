/**
 * Histories of everything that commands keep beside runs: rows made, changed, deleted and made again, with values of whatever their
 * columns are; and lines that runs logged, of which some are cleared.
 */
import type { Projection } from '#src/consumer/projection.ts'
import type { Event } from '#src/events/event.ts'
import { instantOfMs } from '#src/events/instant.ts'
import { LOGGED } from '#src/events/log.ts'
import { clearedEvent } from '#src/events/run-cleared.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import { type TableColumn, tableColumns } from '#src/store/table-columns.ts'
import type { Random } from '../faults/harness/random.ts'

/** Where the rows of a table come from. */
interface Kind {
  /** Of resources, and of events without `as`. */
  readonly named: string
  readonly as?: string
}

const KINDS: Readonly<Record<string, Kind>> = {
  artifact: { named: 'prefect.artifact', as: 'millrace.artifact' },
  concurrency_limit: { named: 'prefect.concurrency-limit' },
  deployment: { named: 'prefect.deployment' },
  flow: { named: 'prefect.flow' },
  flow_run_input: { named: 'prefect.flow-run-input', as: 'millrace.flow-run-input' },
  lease_without_limit: { named: 'prefect.lease-without-limit', as: 'millrace.lease-without-limit' },
  variable: { named: 'prefect.variable' },
  work_pool: { named: 'prefect.work-pool' },
  work_queue: { named: 'prefect.work-queue' },
  worker: { named: 'prefect.worker', as: 'millrace.worker' },
}

/** @param each histories of each table, of which the first leaves a row */
export async function keptHistories(
  db: Queryable,
  random: Random,
  projections: readonly Projection[],
  { each, startMs }: { readonly each: number; readonly startMs: number },
): Promise<Event[]> {
  const clock = { ms: startMs }
  const events: Event[] = []
  for (const { table, row } of projections) {
    const kind = KINDS[table]
    if (kind === undefined) continue
    const columns = await tableColumns(db, table, Object.keys(row.properties))
    for (let i = 0; i < each; i++) events.push(...history(random, clock, table, kind, columns, i > 0))
  }
  for (let i = 0; i < each; i++) events.push(...lines(random, clock, i > 0))
  return events
}

type Clock = { ms: number }

function history(
  random: Random,
  clock: Clock,
  table: string,
  kind: Kind,
  columns: readonly TableColumn[],
  mayEnd: boolean,
): Event[] {
  const id = random.uuid()
  const events: Event[] = []
  const tell = (what: string, payload: Event['payload']) =>
    events.push(eventOf(random, clock, `${kind.as ?? kind.named}.${what}`, `${kind.named}.${id}`, payload))
  const lives = 1 + random.below(2)
  for (let life = 0; life < lives; life++) {
    tell('created', { [table]: { ...valuesOf(random, clock, columns), id } })
    for (let changes = random.below(4); changes > 0; changes--) {
      const some = columns.filter(({ name }) => name !== 'id' && random.below(3) === 0)
      tell('updated', { [table]: valuesOf(random, clock, some) })
    }
    if (life < lives - 1 || (mayEnd && random.below(3) === 0)) tell('deleted', {})
  }
  return events
}

function lines(random: Random, clock: Clock, mayEnd: boolean): Event[] {
  const run = random.uuid()
  const batches = Array.from({ length: 1 + random.below(3) }, () =>
    Array.from({ length: 1 + random.below(5) }, () => {
      const at = instantOfMs(clock.ms).iso
      const line = { id: random.uuid(), created: at, updated: at, name: 'logger', level: 20, message: random.uuid() }
      return { ...line, timestamp: at, flow_run_id: run, task_run_id: null }
    }),
  )
  const events = batches.map((logs) => eventOf(random, clock, LOGGED, `prefect.flow-run.${run}`, { logs }))
  if (!mayEnd || random.below(2) === 0) return events
  const cleared = { log: (batches[0] ?? []).map(({ id }) => id) }
  return [...events, clearedEvent({ kind: 'flow-run', id: run }, cleared, random.uuid(), instantOfMs(clock.ms++).iso)]
}

function eventOf(random: Random, clock: Clock, event: string, resource: string, payload: Event['payload']): Event {
  const occurred = instantOfMs(clock.ms++).iso
  const about = { 'prefect.resource.id': resource }
  return { id: random.uuid(), occurred, event, resource: about, related: [], payload, follows: null }
}

function valuesOf(random: Random, clock: Clock, columns: readonly TableColumn[]): Record<string, unknown> {
  return Object.fromEntries(columns.map((column) => [column.name, columnValue(random, clock, column)]))
}

function columnValue(random: Random, clock: Clock, { name, type, required }: TableColumn): unknown {
  if (!required && random.below(4) === 0) return null
  switch (type) {
    case 'uuid':
      return random.uuid()
    case 'timestamp with time zone':
      return instantOfMs(clock.ms + random.below(1_000)).iso
    case 'boolean':
      return random.below(2) === 0
    case 'integer':
    case 'bigint':
      return random.below(2 ** 31)
    case 'double precision':
      return random.below(10_000) / 8
    case 'text[]':
      return Array.from({ length: random.below(3) }, () => `tag "${random.below(100)}"`)
    case 'json':
      return { [name]: [random.below(10), null, 'a\0b'] }
    default:
      return `${name} ${random.uuid()}`
  }
}
