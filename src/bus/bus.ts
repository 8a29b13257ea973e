import type { EncodedEvent } from '#src/events/encode.ts'

/** An entry's place in a partition. Both are integers; compare with `comparePositions`, never as text. */
export interface EntryId {
  readonly ms: number
  readonly seq: number
}

/** Where one call to `append` put the events of one partition. */
export interface AppendedEntry {
  readonly partition: number
  /** Null when every event was a duplicate and nothing was written. */
  readonly id: EntryId | null
}

export interface AppendResult {
  /** Indices, in the argument's order, of events whose id was seen in the dedup window (or earlier in the same call). */
  readonly duplicates: ReadonlySet<number>
  readonly entries: readonly AppendedEntry[]
}

/** One entry as it is read back: a record batch of one partition. */
export interface Entry {
  readonly partition: number
  readonly id: EntryId
  /** `events`, or `rejected` for what a sender handed in that is no event and goes to the dead letters. */
  readonly kind: EntryKind
  /** Canonical instant at which the server took the batch. */
  readonly received: string
  /** Running number of the batch's first event in the partition, from 0 at the stream's beginning. */
  readonly firstNumber: number
  /** Index of the first record within the entry; 0 unless this is a part of one. */
  readonly firstIndex?: number
  /** Days since the epoch on which the batch's events occurred. */
  readonly days: readonly number[]
  /** Bytes of each record, in order. */
  readonly lengths: readonly number[]
  /** The records, one after another; `events/record.ts` reads them. */
  readonly records: Buffer
  /** Names the stream's life: changes when Redis lost everything and the stream began anew. */
  readonly generation: string
}

export type EntryKind = 'events' | 'rejected'

/**
 * Ids of those events that nobody has appended lately, as far as is known outside of Redis. Asked about events that a change of
 * the partitions turned back, since Redis knows ids by partition.
 */
export type Unseen = (events: readonly EncodedEvent[]) => Promise<ReadonlySet<string>>

/** The producer's side: appends are grouped, so many callers share one round trip. */
export interface Appender {
  /**
   * Appends events, in order for each partition. Resolves once Redis has them, as durable as its AOF makes them.
   * @throws BusUnavailable when Redis cannot be reached; the events may or may not be in, and may be sent again
   */
  append(events: readonly EncodedEvent[]): Promise<AppendResult>
  /**
   * Appends events of one ordering key if their aggregate has had just as many events as the writer read; else nothing
   * is written and the answer says how many it has had. A version that Redis does not know any more is taken as read,
   * unless the partitions were changed since it was read.
   * Where the answer was lost, the same call tells whether they are in: they are duplicates then.
   * @throws BusUnavailable like `append`
   */
  appendExpecting(events: readonly EncodedEvent[], version: ExpectedVersion): Promise<AppendResult | VersionConflict>
  /**
   * The version that Redis knows of an aggregate of this ordering key; null when it knows none, or none any more.
   * @throws BusUnavailable
   */
  versionOf(keyHash: number, aggregate: string): Promise<number | null>
  /**
   * The epoch of the layout, as far as this process knows. Versions and decisions are known by partition, so what was read
   * under one layout can't be compared under another. Everything appended under one is applied before the next one holds.
   */
  layoutEpoch(): number
  /**
   * Appends a decision on things whose events need no version, since others tell of them as well. Nothing is written, and
   * the answer is null, if another one was decided on since the one that the writer knows, or the partitions were changed.
   * The events are of one ordering key.
   * @throws BusUnavailable like `append`
   */
  appendDecision(events: readonly EncodedEvent[], basis: Basis): Promise<AppendResult | null>
  /**
   * Where the last decision on something of this ordering key was appended; null for none, or none within the last hour.
   * @throws BusUnavailable
   */
  lastDecision(keyHash: number, aggregate: string): Promise<DecidedAt | null>
}

/** A place in the streams. */
export interface DecidedAt {
  readonly partition: number
  readonly id: EntryId
}

/** What a decision is about, and what it was decided on. */
export interface Basis {
  readonly aggregates: readonly string[]
  /** What the writer knows; left out for a decision that holds whatever was decided before. */
  readonly known?: {
    /** The last decision; null for none. */
    readonly last: DecidedAt | null
    /** The layout's epoch before anything was read. */
    readonly epoch: number
  }
}

/** What a writer read before it decided. */
export interface ExpectedVersion {
  readonly aggregate: string
  /** Events the aggregate had; any other integer that was given as `next`. */
  readonly expected: number
  /** The layout's epoch before the aggregate was read. */
  readonly epoch: number
  /** The version from then on; when left out, `expected` and the number of events. */
  readonly next?: number
}

/** Somebody else was faster, or may have been. A lost race: read again and decide again. */
export interface VersionConflict {
  /** Null when the partitions were changed: what was read tells nothing any more. */
  readonly actual: number | null
}

/** -1, 0 or 1: the order of two positions as integers. */
export function comparePositions(a: EntryId, b: EntryId): number {
  return Math.sign(a.ms - b.ms || a.seq - b.seq)
}

/** The greatest position before one, as Redis counts them. */
export function idBefore({ ms, seq }: EntryId): EntryId {
  return seq > 0 ? { ms, seq: seq - 1 } : { ms: ms - 1, seq: Number.MAX_SAFE_INTEGER }
}

/** The least position behind one, so that it undoes `idBefore`. */
export function idAfter({ ms, seq }: EntryId): EntryId {
  return seq < Number.MAX_SAFE_INTEGER ? { ms, seq: seq + 1 } : { ms: ms + 1, seq: 0 }
}

/** `ms-seq`, the form Redis uses. */
export function formatEntryId(id: EntryId): string {
  return `${id.ms}-${id.seq}`
}

/** @throws RangeError when the text is no entry id */
export function parseEntryId(text: string): EntryId {
  const dash = text.indexOf('-')
  const ms = Number(text.slice(0, dash))
  const seq = Number(text.slice(dash + 1))
  if (dash < 1 || !Number.isSafeInteger(ms) || !Number.isSafeInteger(seq))
    throw new RangeError(`'${text}' is no stream entry id`)
  return { ms, seq }
}
