import { type EntryId, formatEntryId, type Inspector, parseEntryId, RECORDER } from '#src/bus/index.ts'
import { type Queryable, readCheckpoints } from '#src/store/checkpoint.ts'
import { countLettersOf, estimateRows, type ProjectionState, readProjections } from '#src/store/projection.ts'
import type { Projection } from './projection.ts'
import { lettersGroup } from './waiting-keys.ts'

/** How a projection and its table stand. */
export interface ProjectionStanding {
  readonly name: string
  readonly table: string
  /** Of the code. */
  readonly version: number
  /** Of the code that made the table's rows; null before the recorder saw the projection. */
  readonly tableVersion: number | null
  /** `outdated`: the table is of another version, and is left as it is until it is rebuilt. `new`: it has not begun. */
  readonly state: ProjectionState | 'outdated' | 'new'
  /** Estimated by Postgres; null before it did. */
  readonly rows: number | null
  readonly deadLetters: number
}

/** How far the recorder has come in a partition. */
export interface RecorderStanding {
  readonly partition: number
  readonly owner: string | null
  /** Last position that is in the tables: ms-seq; null before the first. */
  readonly checkpoint: string | null
  readonly lagEvents: number
  /** Age of the oldest entry that is not in the tables; 0 when there is none. */
  readonly lagMs: number
}

/** All projections of this release, by name. */
export async function projectionStandings(
  db: Queryable,
  projections: readonly Projection[],
): Promise<ProjectionStanding[]> {
  const known = await readProjections(db)
  const letters = await countLettersOf(db, projections.map(lettersGroup))
  const rows = await estimateRows(
    db,
    projections.map(({ table }) => table),
  )
  const standings = projections.map((projection): ProjectionStanding => {
    const { name, table, version } = projection
    const found = known.get(name)
    const state = found === undefined ? 'new' : found.version === version ? found.state : 'outdated'
    const deadLetters = letters.get(lettersGroup(projection)) ?? 0
    return {
      name,
      table,
      version,
      tableVersion: found?.version ?? null,
      state,
      rows: rows.get(table) ?? null,
      deadLetters,
    }
  })
  return standings.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** How far the recorder is, in each partition. */
export async function recorderStandings(
  db: Queryable,
  inspector: Pick<Inspector, 'partitions' | 'look'>,
): Promise<RecorderStanding[]> {
  const checkpoints = new Map(
    (await readCheckpoints(db, RECORDER)).map(({ partition, position }) => [partition, position]),
  )
  return Promise.all(
    Array.from({ length: inspector.partitions }, async (_, partition): Promise<RecorderStanding> => {
      const at = checkpoints.get(partition)
      const { groups, events, firstId } = await inspector.look(partition, applied(at))
      const group = groups.find(({ name }) => name === RECORDER)
      return {
        partition,
        owner: group?.owner ?? null,
        checkpoint: at === undefined || at.ms === 0 ? null : formatEntryId(at),
        lagEvents: group?.lagEvents ?? events,
        lagMs: group?.lagMs ?? (firstId === null ? 0 : Math.max(1, Date.now() - parseEntryId(firstId).ms)), // it never ran
      }
    }),
  )
}

function applied(at: EntryId | undefined): ReadonlyMap<string, EntryId> {
  return at === undefined ? new Map() : new Map([[RECORDER, at]])
}
