import { comparePositions, type Entry, type EntryId, formatEntryId, idBefore } from '#src/bus/bus.ts'
import type { Commit } from '#src/bus/commits.ts'
import type { GroupReader } from '#src/bus/group-reader.ts'
import type { EntryBuffer } from './buffer.ts'
import type { LossLedger } from './loss-ledger.ts'
import { advance, BEGINNING, follows, isOld, missingBefore, type OwnedPartition } from './owned-partition.ts'
import { SUSPECT_DELIVERIES, type SuspectEntry } from './suspects.ts'

export interface ReadingDeps {
  readonly group: string
  readonly reader: GroupReader
  readonly owned: ReadonlyMap<number, OwnedPartition>
  readonly buffer: EntryBuffer
  /** See `Possession`. */
  readonly era: () => number
  readonly announce: (commits: readonly Commit[]) => Promise<void>
  readonly ledger: LossLedger
  /** Told of entries that may have killed the owner before. */
  readonly onSuspects: (partition: number, suspects: readonly SuspectEntry[]) => void
}

/** Brings the entries of the owned partitions into the buffer, each partition's in order and without a gap. */
export interface Reading {
  /**
   * One read: first what was delivered before, then what is new. True when it put something into the buffer; a rewind
   * must not come between the reading and that, or entries would stand in the buffer without those before them.
   * @param withinMs how long it waits for something new to come, at least 1
   */
  fetch(withinMs: number): Promise<boolean>
  /**
   * A process that thinks it still owns a partition may read once more from it. What it was given is pending, and where
   * nothing follows it no gap shows it; so the owner looks, behind what it has read itself.
   * @param count of partitions to look at; the next ones the next time
   */
  lookBehind(count: number): void
}

const READ_BYTES = 4 * 1024 * 1024
const PENDING_COUNT = 64

export function createReading(deps: ReadingDeps): Reading {
  const { group, reader, owned, buffer, era, announce, ledger, onSuspects } = deps
  let lookedAt = -1 // the partition that was last looked behind

  function keep(entries: readonly Entry[]): boolean {
    if (entries.length > 0) buffer.push(entries)
    return entries.length > 0
  }

  function goBack(partition: OwnedPartition): void {
    partition.mode = 'pending'
    partition.cursor = partition.read
  }

  async function fetchNew(withinMs: number): Promise<boolean> {
    const began = era()
    const entries = await reader.readNew([...owned.keys()], READ_BYTES, withinMs)
    await acknowledgeApplied(entries)
    if (began !== era()) return false
    return keep(
      entries.filter((entry) => {
        const partition = owned.get(entry.partition)
        if (partition === undefined || partition.mode === 'pending' || isOld(partition, entry)) return false
        // Somebody who thinks that he still owns it may have read in between: what he got is pending, and stands there before
        // this. The first entry after a change of owners or a rewind follows nothing that is known, so it comes that way too.
        if (!follows(partition, entry)) {
          goBack(partition)
          return false
        }
        advance(partition, entry)
        return true
      }),
    )
  }

  /** What is delivered as new though it is applied comes of a group that was set back: it would stay pending for ever. */
  async function acknowledgeApplied(entries: readonly Entry[]): Promise<void> {
    const applied = Map.groupBy(
      entries.filter(({ partition, id }) => comparePositions(id, owned.get(partition)?.applied ?? BEGINNING) <= 0),
      ({ partition }) => partition,
    )
    for (const [partition, old] of applied)
      await acknowledge(
        partition,
        old.map(({ id }) => id),
        old.at(-1),
      )
  }

  /** @param last of the entries that are applied: with it all before it are, so the backlog is counted from there */
  async function acknowledge(partition: number, ids: readonly EntryId[], last?: Entry): Promise<void> {
    if (ids.length === 0) return
    const done = last === undefined ? 0 : last.firstNumber + last.lengths.length
    await announce([{ partition, ids: ids.map(formatEntryId), done, generation: last?.generation ?? '' }])
  }

  async function fetchPending(partition: OwnedPartition): Promise<boolean> {
    const began = era()
    const { entries, gone, deliveries } = await reader.readPending(partition.partition, partition.cursor, PENDING_COUNT)
    const isPast = () => began !== era() || owned.get(partition.partition) !== partition
    if (isPast()) return false
    if (entries.length + gone.length === 0) {
      partition.mode = 'new'
      partition.inherited = false
      return false
    }
    const seen = [...entries.map(({ id }) => id), ...gone].sort(comparePositions)
    const applied = seen.filter((id) => comparePositions(id, partition.applied) <= 0)
    const lost = gone.filter((id) => comparePositions(id, partition.applied) > 0)
    for (const id of lost) noteLoss(partition, idBefore(id), id, 'trimmed', { entries: 1 })
    const fresh = entries.filter((entry) => !isOld(partition, entry))
    const ahead = { ...partition } // how it will stand; it must not before the losses are in the ledger
    for (const entry of fresh) {
      const { read } = ahead
      const isTold = lost.some((id) => comparePositions(id, read) > 0 && comparePositions(id, entry.id) < 0)
      const missing = isTold ? 0 : missingBefore(ahead, entry)
      if (missing > 0) noteLoss(partition, ahead.read, idBefore(entry.id), 'missing', { events: missing })
      advance(ahead, entry)
    }
    await ledger.flush()
    const last = entries.findLast(({ id }) => comparePositions(id, partition.applied) <= 0)
    await acknowledge(partition.partition, [...applied, ...lost], last)
    if (isPast()) return false
    partition.cursor = seen.at(-1) ?? partition.cursor
    const suspects = fresh
      .map((entry) => ({ entry, deliveries: deliveries[entries.indexOf(entry)] ?? 0 }))
      .filter(({ deliveries: count }) => count >= SUSPECT_DELIVERIES)
    if (partition.inherited && suspects.length > 0) onSuspects(partition.partition, suspects)
    for (const entry of fresh) advance(partition, entry)
    return keep(fresh)
  }

  function noteLoss(
    { partition, epoch }: OwnedPartition,
    fromExclusive: EntryId,
    toInclusive: EntryId,
    cause: 'trimmed' | 'missing',
    counts: { readonly entries?: number; readonly events?: number },
  ): void {
    const detail = cause === 'trimmed' ? 'pending entries were removed from the stream' : 'running numbers are skipped'
    ledger.add({ group, partition, fromExclusive, toInclusive, cause, detail, ...counts }, epoch)
  }

  return {
    async fetch(withinMs) {
      for (const partition of owned.values()) if (partition.mode === 'pending') return fetchPending(partition)
      return fetchNew(withinMs)
    },
    lookBehind(count) {
      const inOrder = [...owned.values()].sort((a, b) => a.partition - b.partition)
      const next = inOrder.findIndex(({ partition }) => partition > lookedAt)
      const from = next === -1 ? 0 : next
      for (const partition of [...inOrder.slice(from), ...inOrder.slice(0, from)].slice(0, count)) {
        if (partition.mode === 'new') goBack(partition)
        lookedAt = partition.partition
      }
    },
  }
}
