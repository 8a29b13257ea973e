import { BusUnavailable } from '#src/errors.ts'
import { type Entry, type EntryId, formatEntryId, parseEntryId } from './bus.ts'
import { asBusError, type Client, Cluster } from './connection.ts'
import { createEnsure, type Ensure } from './ensure.ts'
import { parseOrReject } from './entry.ts'
import type { Keys } from './keys.ts'
import { createReadStreams, type Found, type StreamsRead } from './read-streams.ts'

/**
 * The one name under which a group reads a partition. Since a partition has one owner at a time, what an owner left
 * pending is found by the next one under the same name: nothing to claim, and no names that pile up.
 */
const CONSUMER = 'owner'

/** What was delivered before and not yet acknowledged. */
export interface PendingEntries {
  readonly entries: readonly Entry[]
  /** Ids whose entries are gone from the stream: trimmed by somebody else. */
  readonly gone: readonly EntryId[]
  /** How often Redis has delivered each of `entries`, this time included. */
  readonly deliveries: readonly number[]
}

/**
 * Reads partitions for one consumer group. Every method throws BusUnavailable when Redis does not answer; reads do so once
 * after each loss of the connection too, so that `ensure` is called before anything is read from what may be another server.
 */
export interface GroupReader {
  /** To be called before a partition is read, and after every failure. */
  readonly ensure: Ensure
  /** Entries never delivered to the group, per partition in order; waits `blockMs` for the first. */
  readNew(partitions: readonly number[], maxBytes: number, blockMs: number): Promise<Entry[]>
  readPending(partition: number, after: EntryId, count: number): Promise<PendingEntries>
  /** Ends a read that waits, and every later one. What Redis has given to it by then is pending. */
  stop(): void
}

const START_ENTRY_BYTES = 16 * 1024
const LEAST_COUNT = 4
const MOST_COUNT = 512

/** @param redis a client of its own, since reading blocks it */
export function createGroupReader(redis: Client, keys: Keys, group: string): GroupReader {
  const readStreams = createReadStreams(redis, keys)
  let cut = false // since the last read: whoever answers now may be another server, with less in it
  redis.once('ready', () => redis.on(redis instanceof Cluster ? '-node' : 'close', () => (cut = true)))
  // What an entry may be expected to have at most, to bound a reply by bytes, since Redis bounds it by entries alone: up at
  // once with a large one, down again slowly.
  let entryBytes = START_ENTRY_BYTES

  async function read(streams: StreamsRead): Promise<Found> {
    if (cut) {
      cut = false
      throw new BusUnavailable(
        'The connection to Redis was made anew: it has to be looked at whether anything is lost.',
      )
    }
    try {
      return await readStreams(streams)
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('NOGROUP')) throw new GroupGone(error.message)
      throw asBusError(error)
    }
  }

  async function readNew(partitions: readonly number[], maxBytes: number, blockMs: number): Promise<Entry[]> {
    const count = Math.min(MOST_COUNT, Math.max(LEAST_COUNT, Math.floor(maxBytes / entryBytes / partitions.length)))
    const reply = await read({
      command: ['XREADGROUP', 'GROUP', group, CONSUMER, 'COUNT', count],
      partitions,
      after: partitions.map(() => '>'),
      blockMs,
    })
    const entries = reply.flatMap(([partition, raw]) => raw.map((entry) => parseOrReject(partition, entry)))
    for (const { records } of entries)
      entryBytes = Math.max(records.length, entryBytes + (records.length - entryBytes) / 64)
    return entries
  }

  async function readPending(partition: number, after: EntryId, count: number): Promise<PendingEntries> {
    const reply = await read({
      command: ['XREADGROUP', 'GROUP', group, CONSUMER, 'COUNT', count],
      partitions: [partition],
      after: [formatEntryId(after)],
      blockMs: 0,
    })
    const entries: Entry[] = []
    const gone: EntryId[] = []
    for (const raw of reply[0]?.[1] ?? []) {
      if (raw[1] === null) gone.push(parseEntryId(raw[0].toString('latin1')))
      else entries.push(parseOrReject(partition, raw))
    }
    return { entries, gone, deliveries: await deliveriesOf(partition, entries) }
  }

  async function deliveriesOf(partition: number, entries: readonly Entry[]): Promise<number[]> {
    const [first, last] = [entries[0], entries.at(-1)]
    if (first === undefined || last === undefined) return []
    try {
      const range = [formatEntryId(first.id), formatEntryId(last.id)] as const
      const pending = await redis.xpending(keys.stream(partition), group, ...range, entries.length * 2)
      const counts = new Map((pending as [string, string, number, number][]).map(([id, , , count]) => [id, count]))
      return entries.map(({ id }) => counts.get(formatEntryId(id)) ?? 1)
    } catch (error) {
      throw asBusError(error)
    }
  }

  return { ensure: createEnsure(redis, keys, group), readNew, readPending, stop: () => redis.disconnect() }
}

/** The group or the stream is not there any more: Redis lost data. A lost race the caller settles by making it again. */
export class GroupGone extends Error {}
