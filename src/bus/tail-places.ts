import { type EntryId, parseEntryId } from './bus.ts'
import type { Client } from './connection.ts'
import type { Keys } from './keys.ts'

/** Where a live reader stands in one partition, and by what it knows the entry that follows. */
export interface Place {
  /** The entry read last. */
  readonly id: EntryId
  /** Number that the next event will have. */
  readonly nextNumber: number
  /** Null while the stream has never held an entry. */
  readonly generation: string | null
}

const BEGINNING: EntryId = { ms: 0, seq: 0 }

/** The ends of all partitions as they are now, each in one transaction: id, number and generation belong together. */
export async function placesNow(
  redis: Client,
  keys: Pick<Keys, 'stream' | 'state'>,
  partitions: number,
): Promise<Place[]> {
  return Promise.all(Array.from({ length: partitions }, (_, partition) => placeNow(redis, keys, partition)))
}

async function placeNow(redis: Client, keys: Pick<Keys, 'stream' | 'state'>, partition: number): Promise<Place> {
  const replies = await redis
    .multi()
    .xinfo('STREAM', keys.stream(partition)) // fails where there is no stream yet
    .hmget(keys.state(partition), 'count', 'generation')
    .exec()
  const [info, state] = replies ?? []
  if (state === undefined || state[0] !== null) throw state?.[0] ?? new Error('Redis discarded the transaction')
  const [count, generation] = state[1] as (string | null)[]
  return { id: lastId(info), nextNumber: Number(count ?? 0), generation: generation ?? null }
}

/** From the flat list of names and values that XINFO gives. Also right when every entry has been trimmed. */
function lastId(reply: [Error | null, unknown] | undefined): EntryId {
  const error = reply?.[0]
  if (error?.message.includes('no such key')) return BEGINNING
  if (error) throw error
  const info = reply?.[1] as unknown[]
  return parseEntryId(String(info[info.indexOf('last-generated-id') + 1]))
}
