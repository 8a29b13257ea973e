/** What a rebuild can't read any more, since it left the log and is in no archive. */
import type { ArchivePlace, Manifest } from '#src/archive/index.ts'
import { readManifests } from '#src/archive/index.ts'
import { isTaken } from '#src/consumer/fold.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { instantOfMs } from '#src/events/instant.ts'
import type { EventPolicy } from '#src/retention/policy.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import { prunedDays } from '#src/store/retention/pruned-day.ts'
import { prunedNames } from '#src/store/retention/pruned-name.ts'

export interface Missing {
  /** All events that occurred at this moment or later are there; null when all events are. */
  readonly before: string | null
  /** Days that are read from the archive. */
  readonly archived: readonly Manifest[]
}

export interface MissingNeeds {
  readonly db: Queryable
  readonly place: ArchivePlace | null
  readonly policy: EventPolicy
  readonly nowMs: () => number
}

const DAY_MS = 86_400_000

/** Looks at what left the log. @throws ArchiveUnavailable, ArchiveDamaged */
export async function findMissing(needs: MissingNeeds, projections: readonly Projection[]): Promise<Missing> {
  const { db, place, policy, nowMs } = needs
  const gone = await prunedDays(db)
  const stored = place === null || gone.length === 0 ? [] : await readManifests(place)
  const manifests = stored.map(({ manifest }) => manifest)
  const isArchived = ({ date, generation }: { readonly date: string; readonly generation: number }) =>
    manifests.some((manifest) => manifest.day === date && manifest.generation === generation)
  const ends = gone.filter((day) => !isArchived(day)).map(({ date }) => Date.parse(date) + DAY_MS)
  for (const { name, upToMs } of await prunedNames(db)) if (isTaken(projections, name)) ends.push(upToMs)
  // Who only compares holds nothing back: names may be deleted while it reads.
  for (const [pattern, keptMs] of Object.entries(policy.overrides))
    if (keptMs < policy.defaultMs && mayTake(projections, pattern)) ends.push(nowMs() - keptMs)
  const known = manifests.filter(({ day, generation }) =>
    gone.some((each) => each.date === day && each.generation === generation),
  )
  return { before: ends.length === 0 ? null : instantOfMs(Math.max(...ends)).iso, archived: known }
}

/** Of a beginning of names nobody can say which there were: then it counts as taken. */
function mayTake(projections: readonly Projection[], pattern: string): boolean {
  return pattern.endsWith('*') || isTaken(projections, pattern)
}
