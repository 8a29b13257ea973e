import { setTimeout as sleep } from 'node:timers/promises'
import { comparePositions, type Entry, type EntryId, formatEntryId } from '#src/bus/bus.ts'
import type { Commit } from '#src/bus/commits.ts'
import type { GroupReader } from '#src/bus/group-reader.ts'
import type { EntryBuffer } from './buffer.ts'
import { type Hole, HoleAtTheEnd, lossesOf, untilHole } from './hole.ts'
import type { FoundLoss, LossLedger } from './loss-ledger.ts'
import { advance, BEGINNING, follows, isOld, type OwnedPartition } from './owned-partition.ts'
import { RENEW_MS } from './ownership.ts'
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
const COMMIT_POLL_MS = 10

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
    const last = entries.findLast(({ id }) => comparePositions(id, partition.applied) <= 0)
    await acknowledge(partition.partition, applied, last)
    const { fresh, hole } = untilHole(partition, entries, gone)
    if (hole !== null && fresh.length === 0) {
      await passOver(partition, hole, isPast)
      return false
    }
    if (isPast()) return false
    partition.cursor = (hole === null ? seen.at(-1) : fresh.at(-1)?.id) ?? partition.cursor
    const suspects = fresh
      .map((entry) => ({ entry, deliveries: deliveries[entries.indexOf(entry)] ?? 0 }))
      .filter(({ deliveries: count }) => count >= SUSPECT_DELIVERIES)
    if (partition.inherited && suspects.length > 0) onSuspects(partition.partition, suspects)
    for (const entry of fresh) advance(partition, entry)
    return keep(fresh)
  }

  /**
   * Takes down what is lost, and goes on behind it. Not before all that comes before it is committed, since the checkpoint
   * passes over the hole: what others have of it is looked for up to there.
   */
  async function passOver(partition: OwnedPartition, hole: Hole, isPast: () => boolean): Promise<void> {
    const untilMs = performance.now() + RENEW_MS // leases have to be renewed meanwhile
    while (comparePositions(partition.read, partition.applied) > 0) {
      if (isPast() || performance.now() > untilMs) return
      await sleep(COMMIT_POLL_MS)
    }
    const losses = lossesOf(group, partition, hole)
    for (const loss of losses) ledger.add(loss, partition.epoch)
    await ledger.flush()
    await acknowledge(partition.partition, hole.gone)
    if (isPast()) return
    const { standing, nextNumber } = losses.at(-1) as FoundLoss
    partition.applied = standing
    partition.eventCount = nextNumber ?? partition.eventCount
    partition.read = standing
    partition.cursor = standing
    partition.next = null
    if (hole.next === null) throw new HoleAtTheEnd('more may be gone that was not delivered yet')
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
