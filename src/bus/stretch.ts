/** Reads what is still in a stream between two places, for whoever looks back: no group, nothing delivered or claimed. */
import { type Entry, type EntryId, formatEntryId } from './bus.ts'
import { asBusError, type Client } from './connection.ts'
import { parseOrReject, type RawEntry } from './entry.ts'
import type { Keys } from './keys.ts'

/** What a stream holds between two places, both included. */
export interface Stretch {
  readonly first: EntryId
  readonly last: EntryId
  /** By the running numbers of both ends. */
  readonly events: number
}

export interface Stretches {
  /** Null when there is no entry between. @throws BusUnavailable */
  measure(partition: number, from: EntryId, to: EntryId): Promise<Stretch | null>
  /** At most `count` entries, in order. @throws BusUnavailable */
  read(partition: number, from: EntryId, to: EntryId, count: number): Promise<Entry[]>
  /** The oldest entry that was not trimmed; null in an empty stream. @throws BusUnavailable */
  oldest(partition: number): Promise<EntryId | null>
}

export function createStretches(redis: Client, keys: Pick<Keys, 'stream'>): Stretches {
  async function range(
    how: 'xrangeBuffer' | 'xrevrangeBuffer',
    partition: number,
    ends: [string, string],
    count: number,
  ) {
    try {
      return (await redis[how](keys.stream(partition), ...ends, 'COUNT', count)) as unknown as RawEntry[]
    } catch (error) {
      throw asBusError(error)
    }
  }

  return {
    async measure(partition, from, to) {
      const [low, high] = [formatEntryId(from), formatEntryId(to)]
      const [first] = await range('xrangeBuffer', partition, [low, high], 1)
      const [last] = await range('xrevrangeBuffer', partition, [high, low], 1)
      if (first === undefined || last === undefined) return null
      const [begin, end] = [parseOrReject(partition, first), parseOrReject(partition, last)]
      const events = Math.max(0, end.firstNumber + end.lengths.length - begin.firstNumber)
      return { first: begin.id, last: end.id, events }
    },
    async read(partition, from, to, count) {
      const raw = await range('xrangeBuffer', partition, [formatEntryId(from), formatEntryId(to)], count)
      return raw.map((entry) => parseOrReject(partition, entry))
    },
    async oldest(partition) {
      const [entry] = await range('xrangeBuffer', partition, ['-', '+'], 1)
      return entry === undefined ? null : parseOrReject(partition, entry).id
    },
  }
}
