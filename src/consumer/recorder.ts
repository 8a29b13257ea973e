/**
 * The recorder: the group that keeps the tables of projections. All projections share one read of the stream. For each
 * batch it loads the rows that the events concern, folds the events in memory in their order, and writes each row that
 * changed once, in the transaction that moves the checkpoint.
 */
import type { PoolClient } from 'pg'
import { type Entry, type Inspector, RECORDER } from '#src/bus/index.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import { markPartial } from '#src/store/projection.ts'
import { closeGate, noteLeft, passGate, readStanding } from '#src/store/projection-gate.ts'
import type { GroupHandler } from './handler.ts'
import type { Projection } from './projection.ts'
import { type Folding, type How, openFolding, recordBatch } from './record-batch.ts'
import { recordOne } from './record-carefully.ts'
import { ofThisVersion, recordedProjections } from './recorded.ts'
import { lettersGroup, waitingKeys } from './waiting-keys.ts'

export interface RecorderDeps {
  readonly db: Queryable
  /** All that there are; which of them are recorded is decided by `recordedProjections`. */
  readonly projections: readonly Projection[]
  readonly inspector: Pick<Inspector, 'partitions' | 'look'>
  /** Told how long the reading and the writing of a projection's rows took, of a part of a batch. */
  readonly onTable?: How['onTable']
}

/** Batches of which the rows are held from their reading on, after others turned out to write the same rows. */
const HOLDING_BATCHES = 20
/** How long others may take to leave their tables alone, where something is lost; then it is found again. */
const GATE_MS = 2_000

/** Tables that are behind in a partition get none of its events. */
type Leaves = (projection: Projection, place: { readonly partition: number }) => boolean

export function createRecorder({ db, projections, inspector, onTable = () => {} }: RecorderDeps): GroupHandler {
  const waiting = waitingKeys(db, projections)
  let recorded: ReadonlySet<Projection> = new Set()
  let open: Folding | undefined
  let holding = 0

  /**
   * Passes the gate, and learns which projections are recorded: another process may have exchanged a table since the last
   * batch. Tables that are left alone are noted, since the checkpoint goes on without them.
   */
  async function passing(client: PoolClient, entries: readonly Entry[]): Promise<Leaves | undefined> {
    const standing = await passGate(client)
    const current = ofThisVersion(projections, standing.versions)
    const partitions = [...new Set(entries.map(({ partition }) => partition))]
    const left = [...standing.versions.keys()].filter(
      (name) =>
        !current.some((projection) => projection.name === name) &&
        !partitions.every((partition) => standing.behind.get(name)?.has(partition)),
    )
    if (left.length > 0) await noteLeft(client, RECORDER, left, partitions)
    recorded = new Set(current)
    if (standing.behind.size === 0) return undefined
    return ({ name }, { partition }) => standing.behind.get(name)?.has(partition) ?? false
  }

  async function folding(client: PoolClient): Promise<Folding> {
    const wanted = projections.filter((projection) => recorded.has(projection))
    if (open === undefined || !isSame(open.projections, wanted)) open = await openFolding(client, wanted)
    return open
  }

  function how(leaves: Leaves | undefined): Omit<How, 'lock'> {
    return { waiting, onTable, ...(leaves && { leaves }) }
  }

  /** What one projection set aside, when it is replayed. */
  function partOf(projection: Projection): GroupHandler {
    let alone: Folding | undefined
    return {
      group: lettersGroup(projection),
      order: projection.order,
      enter: passGate,
      async apply(client, entries) {
        const leaves = await passing(client, entries)
        if (!recorded.has(projection))
          throw new Error(`the table of ${projection.name} is of another version: it has to be rebuilt first`)
        if (entries.some(({ partition }) => leaves?.(projection, { partition })))
          throw new Error(`the table of ${projection.name} has to catch up first`)
        alone ??= await openFolding(client, [projection])
        return recordBatch(client, alone, entries, { lock: true, waiting: null, onTable })
      },
    }
  }

  return {
    group: RECORDER,
    order: 'strict', // for what no projection can have, such as an event that kills the process
    parts: projections.map(partOf),
    enter: passGate,
    async learn(partitions) {
      recorded = await recordedProjections(db, projections, inspector)
      await waiting.learn(partitions)
    },
    prepare: async () => waiting.takeBack(),
    async onLoss(client, partitions) {
      // The log may have, or get, what was lost for the tables. Those that stand alone catch up, in order; those that are
      // linked are made anew, since what one finds in another would be of a later time. Nobody writes to them meanwhile, else
      // what is noted would not be where they stand.
      await closeGate(client, GATE_MS)
      const { versions } = await readStanding(client)
      const linked = projections.filter((projection) => isLinked(projection, projections)).map(({ name }) => name)
      await markPartial(client, linked)
      await noteLeft(
        client,
        RECORDER,
        [...versions.keys()].filter((name) => !linked.includes(name)),
        partitions,
      )
    },
    filed: (letters) => waiting.keep(letters),
    async apply(client, entries) {
      waiting.takeBack()
      if (holding > 0) holding--
      const leaves = await passing(client, entries)
      return recordBatch(client, await folding(client), entries, { ...how(leaves), lock: holding > 0 })
    },
    async applyCarefully(client, entries) {
      holding = HOLDING_BATCHES
      const events = entries.reduce((sum, { lengths }) => sum + lengths.length, 0)
      const leaves = await passing(client, entries)
      if (events === 1) return recordOne(client, await folding(client), entries, how(leaves))
      return recordBatch(client, await folding(client), entries, { ...how(leaves), lock: true })
    },
  }
}

/** It looks into another projection, or is looked into. */
function isLinked(projection: Projection, all: readonly Projection[]): boolean {
  const looksInto = (from: Projection, to: Projection) => Object.values(from.lookups).some((lookup) => lookup.in === to)
  return all.some((other) => other !== projection && (looksInto(other, projection) || looksInto(projection, other)))
}

function isSame(a: readonly Projection[], b: readonly Projection[]): boolean {
  return a.length === b.length && a.every((projection, i) => projection === b[i])
}
