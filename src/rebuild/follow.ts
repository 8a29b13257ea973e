/** Brings tables up to a later place: events of the log folded into them, a bounded transaction at a time. */
import type { Pool, PoolClient } from 'pg'
import type { Entry } from '#src/bus/index.ts'
import { createFold, indexesOf } from '#src/consumer/fold.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { type Folding, type How, ProjectionFailed, recordBatch } from '#src/consumer/record-batch.ts'
import { recordCarefully } from '#src/consumer/record-carefully.ts'
import { TableRows } from '#src/consumer/table-rows.ts'
import { lettersGroup } from '#src/consumer/waiting-keys.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import { type DeadLetter, openKeys } from '#src/store/dead-letter.ts'
import { placeText } from './fold-stretch.ts'
import type { FrozenRows } from './frozen-rows.ts'
import { entryOf, readLeftOut, waitingGroup } from './letters.ts'
import type { PlacedEvent } from './merge.ts'
import type { EntryPlace, Places } from './places.ts'
import { eventsOf } from './source.ts'

/** Tables that follow the log. */
export interface Follower {
  readonly projections: readonly Projection[]
  readonly folding: Folding
  /** What it fails on becomes a dead letter; else it is passed over, since somebody has discarded it before. */
  readonly filesLetters: boolean
  /** The rebuild whose letters wait for its tables; null outside of one. */
  readonly rebuild: number | null
}

/** What a transaction brought. */
export interface Followed {
  /** Up to where the tables stand now. */
  readonly places: Places
  readonly letters: readonly DeadLetter[]
  /** Dead letters whose events were left out. */
  readonly leftOut: readonly string[]
}

/** Events of one transaction: small enough for a swap to wait for, large enough to be worth it. */
const BATCH_EVENTS = 1_000

/**
 * @param tableOf the table to fold into, in place of a projection's own
 * @param frozen rows that stay as they are, by the names of projections
 */
export async function openFollower(
  db: Queryable,
  projections: readonly Projection[],
  tableOf: (projection: Projection) => string,
  filesLetters: boolean,
  rebuild: number | null = null,
  frozen: ReadonlyMap<string, FrozenRows> = new Map(),
): Promise<Follower> {
  const tables = new Map<Projection, TableRows>()
  for (const projection of projections) {
    const there = { ...projection, table: tableOf(projection) }
    const indexes = indexesOf(projection, projections)
    tables.set(projection, await TableRows.open(db, there, indexes, frozen.get(projection.name)))
  }
  const fold = createFold(projections, (projection) => tables.get(projection) as TableRows)
  return { projections, filesLetters, rebuild, folding: { projections, tables, fold } }
}

/**
 * Folds what lies between two places, in parts.
 * @param write runs each part in a transaction, which also notes where the tables stand then
 * @returns how many events there were
 */
export async function follow(
  pool: Pool,
  follower: Follower,
  from: Places,
  to: Places,
  write: (apply: (client: PoolClient) => Promise<Followed>) => Promise<void>,
): Promise<number> {
  const wants = (name: string) => follower.folding.fold.takes(name)
  let at: ReadonlyMap<number, EntryPlace> = from
  let part: PlacedEvent[] = []
  let count = 0
  const flush = async (places: Places) => {
    const events = part
    part = []
    await write((client) => foldPart(client, follower, events, places))
  }
  const reading = { partitions: [...to.keys()], after: withAll(from, to), through: to, names: null, archive: null }
  for await (const batch of eventsOf(pool, reading)) {
    for (const event of batch) {
      const last = part.at(-1)
      if (part.length >= BATCH_EVENTS && last !== undefined && !isSameEntry(last, event)) await flush(at)
      at = new Map(at).set(event.partition, { ms: event.ms, seq: event.seq })
      count++
      if (wants(event.event)) part.push(event)
    }
  }
  await flush(new Map([...at, ...to]))
  return count
}

function isSameEntry(a: PlacedEvent, b: PlacedEvent): boolean {
  return a.partition === b.partition && a.ms === b.ms && a.seq === b.seq
}

/** A partition that is new has nothing before. */
function withAll(from: Places, to: Places): Places {
  return new Map([...to.keys()].map((partition) => [partition, from.get(partition) ?? { ms: 0, seq: 0 }]))
}

/** Folds events, in the order of their places, and says that the tables stand at `places` by then. */
export async function foldPart(
  client: PoolClient,
  follower: Follower,
  events: readonly PlacedEvent[],
  places: Places,
): Promise<Followed> {
  if (events.length === 0) return { places, letters: [], leftOut: [] }
  const { projections, folding, filesLetters } = follower
  const { places: leftOut, ids } = await readLeftOut(client, projections)
  const passed = new Set<string>()
  const how: Omit<How, 'lock'> = {
    onTable: () => {},
    leaves: (projection, { partition, ms, seq, index }) => {
      const out = leftOut.get(placeText({ partition, ms, seq, index }))?.has(projection.name) === true
      if (out) passed.add(projection.name)
      return out
    },
    waiting: filesLetters ? await waitingNow(client, follower, events) : NOTHING_WAITS,
    passesOver: !filesLetters,
  }
  const letters = await recordPart(client, folding, events.map(entryOf), how)
  return { places, letters: filesLetters ? letters : [], leftOut: passed.size > 0 ? ids : [] }
}

/** At once, or where a table refuses something as the recorder does then. */
async function recordPart(
  client: PoolClient,
  folding: Folding,
  entries: readonly Entry[],
  how: Omit<How, 'lock'>,
): Promise<readonly DeadLetter[]> {
  await client.query('savepoint whole')
  try {
    const letters = await recordBatch(client, folding, entries, { ...how, lock: false })
    await client.query('release savepoint whole')
    return letters
  } catch (error) {
    if (!(error instanceof ProjectionFailed)) throw error
    await client.query('rollback to savepoint whole; release savepoint whole')
    return recordCarefully(client, folding, entries, how)
  }
}

const NOTHING_WAITS: How['waiting'] = { has: () => false, add: () => {} }

/**
 * What waits behind letters that are filed, by earlier parts or by the part of a rebuild before it follows. Asked with each
 * part, since letters are replayed and discarded meanwhile.
 */
async function waitingNow(
  client: PoolClient,
  { projections, rebuild }: Follower,
  events: readonly PlacedEvent[],
): Promise<How['waiting']> {
  const groups = new Map<string, string>()
  for (const projection of projections.filter(({ order }) => order === 'strict')) {
    groups.set(lettersGroup(projection), projection.name)
    if (rebuild !== null) groups.set(waitingGroup(rebuild, lettersGroup(projection)), projection.name)
  }
  const partitions = [...new Set(events.map(({ partition }) => partition))]
  const open = await openKeys(client, [...groups.keys()], partitions)
  const waits = new Set(open.map(({ group, partition, key }) => `${groups.get(group)} ${partition} ${key}`))
  return {
    has: ({ name }, partition, key) => waits.size > 0 && waits.has(`${name} ${partition} ${key()}`),
    add(letters) {
      for (const { group, partition, orderingKey } of letters)
        if (orderingKey && groups.has(group)) waits.add(`${groups.get(group)} ${partition} ${orderingKey}`)
    },
  }
}
