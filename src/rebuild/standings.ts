/** What there is to know of each projection beside its rows: whether it is rebuilt, was, or is behind. */
import type { Queryable } from '#src/store/checkpoint.ts'
import { readStanding } from '#src/store/projection-gate.ts'
import { lastRebuilds, openRebuilds, type RebuildJob } from '#src/store/rebuild/job.ts'
import { type KeptTable, readKept } from '#src/store/rebuild/kept.ts'

export interface RebuildStanding {
  /** Under way, or stopped half-way; null when there is none. */
  readonly open: RebuildJob | null
  /** The last that is over. */
  readonly last: RebuildJob | null
  readonly kept: KeptTable | null
  /** Partitions in which its table is behind the recorder. */
  readonly behind: readonly number[]
}

/** By name. */
export async function rebuildStandings(
  db: Queryable,
  names: readonly string[],
): Promise<ReadonlyMap<string, RebuildStanding>> {
  const [open, last, kept, standing] = [
    await openRebuilds(db),
    await lastRebuilds(db),
    await readKept(db),
    await readStanding(db),
  ]
  return new Map(
    names.map((name) => [
      name,
      {
        open: open.find((job) => job.names.includes(name)) ?? null,
        last: last.find((job) => job.names.includes(name)) ?? null,
        kept: kept.get(name) ?? null,
        behind: [...(standing.behind.get(name)?.keys() ?? [])].sort((a, b) => a - b),
      },
    ]),
  )
}
