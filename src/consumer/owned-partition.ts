import { comparePositions, type Entry, type EntryId } from '#src/bus/bus.ts'

/** One partition that this process owns: how far it was read, and how far its effect is committed. */
export interface OwnedPartition {
  readonly partition: number
  /** Raised by each owner; Postgres refuses the writes of an older one. */
  readonly epoch: number
  /** Committed in Postgres. */
  applied: EntryId
  eventCount: number
  /** Last entry put into the buffer; at or beyond `applied`. */
  read: EntryId
  /** `pending`: what was delivered before is read first, from `cursor` on; then `new`. */
  mode: 'pending' | 'new'
  cursor: EntryId
  /** What is pending was left by an owner before, who may have died of it; false once all of that was read. */
  inherited: boolean
  /** What the next entry must begin with, to show that none is missing; null when not known. */
  next: { readonly generation: string; readonly number: number } | null
}

export const BEGINNING: EntryId = { ms: 0, seq: 0 }

/** Goes back to what is committed: the rest is pending and is delivered again. */
export function rewind(owned: OwnedPartition): void {
  owned.read = owned.applied
  owned.cursor = BEGINNING
  owned.mode = 'pending'
  owned.next = null
}

/** Takes note of an entry put into the buffer. */
export function advance(owned: OwnedPartition, entry: Entry): void {
  owned.read = entry.id
  owned.next = { generation: entry.generation, number: entry.firstNumber + entry.lengths.length }
}

/** True when it is known that an entry is the next one, with none between. */
export function follows({ next }: OwnedPartition, entry: Entry): boolean {
  return next !== null && next.generation === entry.generation && next.number === entry.firstNumber
}

/** How many events are missing before an entry; 0 when it follows, or when the stream began anew. */
export function missingBefore(owned: OwnedPartition, entry: Entry): number {
  // Nothing was read since the partition was gained or read anew, so what is committed says which one is next.
  if (owned.next === null) return Math.max(0, entry.firstNumber - owned.eventCount)
  if (owned.next.generation !== entry.generation) return 0
  return Math.max(0, entry.firstNumber - owned.next.number)
}

/** True for an entry that was read before. */
export function isOld(owned: OwnedPartition, entry: Entry): boolean {
  return comparePositions(entry.id, owned.read) <= 0
}
