import type { Redis } from 'ioredis'
import { comparePositions, type Entry, type EntryId, formatEntryId, parseEntryId } from './bus.ts'
import { asBusError } from './connection.ts'
import { parseOrReject, type RawEntry } from './entry.ts'
import type { Keys } from './keys.ts'

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

/** Reads partitions for one consumer group. Every method throws BusUnavailable when Redis does not answer. */
export interface GroupReader {
  /** Makes the group, at `at`, where it or the stream is missing; raises the stream's ids above `at`. True when it was made. */
  ensure(partition: number, at: EntryId): Promise<boolean>
  /** Entries never delivered to the group, per partition in order; waits `blockMs` for the first. */
  readNew(partitions: readonly number[], maxBytes: number, blockMs: number): Promise<Entry[]>
  readPending(partition: number, after: EntryId, count: number): Promise<PendingEntries>
}

const START_ENTRY_BYTES = 16 * 1024
const LEAST_COUNT = 4
const MOST_COUNT = 512

/** @param redis a connection of its own, since reading blocks it */
export function createGroupReader(redis: Redis, keys: Keys, group: string): GroupReader {
  let entryBytes = START_ENTRY_BYTES // a running mean, to bound a reply by bytes: Redis bounds it by entries alone

  async function ensure(partition: number, at: EntryId): Promise<boolean> {
    const stream = keys.stream(partition)
    try {
      await redis.xgroup('CREATE', stream, group, formatEntryId(at), 'MKSTREAM')
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('BUSYGROUP')) return false
      throw asBusError(error)
    }
    try {
      // After a loss the stream begins anew: its ids must stay above what was applied, even if the clock went back.
      const last = await lastId(redis, stream)
      if (comparePositions(last, at) < 0) await redis.call('XSETID', stream, formatEntryId(at))
    } catch (error) {
      throw asBusError(error)
    }
    return true
  }

  async function read(command: (string | number)[], partitions: readonly number[]): Promise<RawReply> {
    try {
      const reply = (await redis.callBuffer('XREADGROUP', ...command)) as RawStream[] | null
      const byKey = new Map(partitions.map((partition) => [keys.stream(partition), partition]))
      return (reply ?? []).map(([key, entries]) => [byKey.get(key.toString()) as number, entries])
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('NOGROUP')) throw new GroupGone(error.message)
      throw asBusError(error)
    }
  }

  async function readNew(partitions: readonly number[], maxBytes: number, blockMs: number): Promise<Entry[]> {
    const count = Math.min(MOST_COUNT, Math.max(LEAST_COUNT, Math.floor(maxBytes / entryBytes / partitions.length)))
    const streams = [...partitions.map(keys.stream), ...partitions.map(() => '>')]
    const block = blockMs > 0 ? ['BLOCK', blockMs] : []
    const reply = await read(['GROUP', group, CONSUMER, 'COUNT', count, ...block, 'STREAMS', ...streams], partitions)
    const entries = reply.flatMap(([partition, raw]) => raw.map((entry) => parseOrReject(partition, entry)))
    for (const { records } of entries) entryBytes += (records.length - entryBytes) / 64
    return entries
  }

  async function readPending(partition: number, after: EntryId, count: number): Promise<PendingEntries> {
    const reply = await read(
      ['GROUP', group, CONSUMER, 'COUNT', count, 'STREAMS', keys.stream(partition), formatEntryId(after)],
      [partition],
    )
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

  return { ensure, readNew, readPending }
}

/** The group or the stream is not there any more: Redis lost data. A lost race the caller settles by making it again. */
export class GroupGone extends Error {}

type RawStream = [key: Buffer, entries: RawEntry[]]
type RawReply = [partition: number, entries: RawEntry[]][]

async function lastId(redis: Redis, stream: string): Promise<EntryId> {
  const info = (await redis.xinfo('STREAM', stream)) as unknown[]
  return parseEntryId(String(info[info.indexOf('last-generated-id') + 1]))
}
