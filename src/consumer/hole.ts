/** Finds what is gone among what was delivered to a group and not yet applied. */
import { comparePositions, type Entry, type EntryId, idBefore } from '#src/bus/bus.ts'
import { Passing } from './disposition.ts'
import type { FoundLoss } from './loss-ledger.ts'
import { advance, isOld, missingBefore, type OwnedPartition } from './owned-partition.ts'

/** Something is gone in front of `next`, or at the end of what was delivered. */
export interface Hole {
  /** Entries that are gone, in order. */
  readonly gone: readonly EntryId[]
  /** Events whose numbers are skipped, where no entry is known to be gone. */
  readonly missing: number
  /** What comes behind it; null when nothing was delivered behind it. */
  readonly next: Entry | null
}

/** The partition has to be looked at anew: where a hole ends is not known from what was delivered. */
export class HoleAtTheEnd extends Passing {}

/**
 * @param delivered in order
 * @param gone delivered as well, in order, and not in the stream any more
 * @returns `fresh`: what was not read before, up to the first hole
 */
export function untilHole(
  owned: OwnedPartition,
  delivered: readonly Entry[],
  gone: readonly EntryId[],
): { readonly fresh: readonly Entry[]; readonly hole: Hole | null } {
  const ahead = { ...owned }
  const fresh: Entry[] = []
  const goneBefore = (end?: EntryId) =>
    gone.filter((id) => comparePositions(id, ahead.read) > 0 && (!end || comparePositions(id, end) < 0))
  for (const entry of delivered) {
    if (isOld(ahead, entry)) continue
    const lost = goneBefore(entry.id)
    const missing = lost.length > 0 ? 0 : missingBefore(ahead, entry)
    if (lost.length > 0 || missing > 0) return { fresh, hole: { gone: lost, missing, next: entry } }
    fresh.push(entry)
    advance(ahead, entry)
  }
  const lost = goneBefore()
  return { fresh, hole: lost.length > 0 ? { gone: lost, missing: 0, next: null } : null }
}

/** What a hole means to a group that has applied all that comes before it. */
export function lossesOf(group: string, { partition, applied }: OwnedPartition, hole: Hole): FoundLoss[] {
  const { gone, missing, next } = hole
  const standing = next === null ? (gone.at(-1) ?? applied) : idBefore(next.id)
  const of = { group, partition, standing, nextNumber: next?.firstNumber ?? null }
  if (missing > 0)
    return [
      {
        ...of,
        ...{ fromExclusive: applied, toInclusive: standing, events: missing },
        cause: 'missing',
        detail: 'running numbers are skipped',
      },
    ]
  return gone.map((id) => ({
    ...of,
    ...{ fromExclusive: idBefore(id), toInclusive: id, entries: 1 },
    cause: 'trimmed',
    detail: 'pending entries were removed from the stream',
  }))
}
