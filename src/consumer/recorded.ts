import { type EntryId, type Inspector, parseEntryId, RECORDER } from '#src/bus/index.ts'
import { type Queryable, readCheckpoints } from '#src/store/checkpoint.ts'
import { hasEventBefore, type ProjectionState, readProjections, registerProjections } from '#src/store/projection.ts'
import type { Projection } from './projection.ts'

/**
 * The projections that the recorder folds events into: those of which the table was made by the version of the code. One
 * that nobody knows yet begins now; one of another version is left to a rebuild, which takes over when it swaps tables.
 * Each batch asks again, behind the gate that a swap closes.
 */
export async function recordedProjections(
  db: Queryable,
  projections: readonly Projection[],
  inspector: Pick<Inspector, 'partitions' | 'look'>,
): Promise<ReadonlySet<Projection>> {
  let known = await readProjections(db)
  const fresh = projections.filter(({ name }) => !known.has(name))
  if (fresh.length > 0) {
    const state = await stateOfNew(db, inspector)
    await registerProjections(
      db,
      fresh.map(({ name, version }) => ({ name, version, state })),
    )
    known = await readProjections(db) // another process may have been faster
  }
  return new Set(ofThisVersion(projections, new Map([...known.values()].map(({ name, version }) => [name, version]))))
}

/** Those of which the table, and the tables that they look into, are of the version of the code. */
export function ofThisVersion(
  projections: readonly Projection[],
  versions: ReadonlyMap<string, number>,
): readonly Projection[] {
  const isCurrent = ({ name, version, lookups }: Projection): boolean =>
    versions.get(name) === version && Object.values(lookups).every((lookup) => !lookup.in || isCurrent(lookup.in))
  return projections.filter(isCurrent)
}

/**
 * A projection that begins sees what the recorder has not read yet: all that is still in the streams, when the recorder
 * itself begins. What came before is in the log alone, and a rebuild brings it in.
 */
async function stateOfNew(db: Queryable, inspector: Pick<Inspector, 'partitions' | 'look'>): Promise<ProjectionState> {
  const checkpoints = await readCheckpoints(db, RECORDER)
  if (checkpoints.some(({ eventCount }) => eventCount > 0)) return 'partial'
  for (let partition = 0; partition < inspector.partitions; partition++) {
    const { firstId } = await inspector.look(partition, new Map())
    if (await hasEventBefore(db, partition, firstId === null ? END : parseEntryId(firstId))) return 'partial'
  }
  return 'live'
}

/** Behind every position. */
const END: EntryId = { ms: Number.MAX_SAFE_INTEGER, seq: 0 }
