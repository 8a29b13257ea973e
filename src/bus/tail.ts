import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '#src/log.ts'
import type { Metrics } from '#src/metrics.ts'
import { type Entry, type EntryId, formatEntryId, parseEntryId } from './bus.ts'
import { asBusError, type Client, ready } from './connection.ts'
import type { RawEntry } from './entry.ts'
import type { Keys } from './keys.ts'
import { createReadStreams } from './read-streams.ts'
import { type Place, placesNow } from './tail-places.ts'

/** Entries that a live reader can't get from Redis: trimmed before it read them, lost with Redis's memory, or unreadable. */
export interface Gap {
  readonly partition: number
  /** They come after this one … */
  readonly after: EntryId
  /** … up to this one, at which it was noticed and which is not delivered either. What was persisted is in the log. */
  readonly through: EntryId
}

/** Is told of every entry, in the order of each partition, or of the gap it fell into. Must return soon, and not throw. */
export interface TailListener {
  onEntry(entry: Entry): void
  onGap(gap: Gap): void
  /** Nothing more comes: the tail was closed. */
  onEnd?(): void
}

export interface TailSubscription {
  /** For each partition the position after which this listener is told of every entry, or of a gap. */
  readonly from: readonly EntryId[]
  close(): void
}

/** Reads every partition as it grows, for no consumer group: what it delivers is neither kept nor acknowledged. */
export interface Tail {
  /** @throws BusUnavailable when Redis can't say where the partitions end now */
  subscribe(listener: TailListener): Promise<TailSubscription>
  /** Ends all subscriptions and the connection. */
  close(): Promise<void>
}

export interface TailOptions {
  /** Makes the connection on which is waited. Made when somebody subscribes, closed when nobody does. */
  readonly connect: () => Client
  readonly keys: Pick<Keys, 'stream' | 'state' | 'appended'>
  readonly partitions: number
  readonly parseEntry: (partition: number, raw: RawEntry) => Entry
  readonly log: Log
  readonly metrics: Metrics
}

/** How long Redis may wait for news before it answers: also the time after which a dead connection is noticed. */
const BLOCK_MS = 1_000
/** Entries of one partition in one answer; each may hold thousands of events. */
const COUNT = 16
const CONNECT_MS = 5_000
const FIRST_WAIT_MS = 50
const LONGEST_WAIT_MS = 2_000

/** One connection for all subscribers of this process, open only while there are some. */
export function createTail({ connect, keys, partitions, parseEntry, log, metrics }: TailOptions): Tail {
  const listeners = new Set<TailListener>()
  const all = Array.from({ length: partitions }, (_, partition) => partition)
  let places: Place[] = []
  let redis: Client | null = null
  let starting: Promise<void> | null = null
  let running: Promise<void> = Promise.resolve()

  async function subscribe(listener: TailListener): Promise<TailSubscription> {
    // Whoever comes while it runs joins at the place that was read last: what comes after is told to all alike.
    while (redis === null) {
      starting ??= start().finally(() => {
        starting = null
      })
      await starting
    }
    listeners.add(listener)
    return { from: places.map(({ id }) => id), close: () => leave(listener) }
  }

  async function start(): Promise<void> {
    await running // a reader that is about to end, since its last subscriber left
    const connection = connect()
    try {
      await ready(connection, CONNECT_MS)
      places = await placesNow(connection, keys, partitions)
    } catch (error) {
      connection.disconnect()
      throw asBusError(error)
    }
    redis = connection
    running = read(connection)
  }

  function leave(listener: TailListener): void {
    listeners.delete(listener)
    if (listeners.size > 0) return
    redis?.disconnect()
    redis = null
  }

  async function read(connection: Client): Promise<void> {
    const readStreams = createReadStreams(connection, keys)
    let waitMs = 0
    while (redis === connection) {
      try {
        const after = places.map(({ id }) => formatEntryId(id))
        const news = await readStreams({
          command: ['XREAD', 'COUNT', COUNT],
          partitions: all,
          after,
          blockMs: BLOCK_MS,
        })
        if (waitMs > 0) metrics.liveResumed.inc()
        waitMs = 0
        if (redis !== connection) return
        for (const [partition, entries] of news) for (const raw of entries) deliver(partition, raw)
      } catch (error) {
        if (redis !== connection) return
        if (waitMs === 0) log.warn({ reason: String(error) }, 'live events cannot be read from Redis; trying on')
        // A connection that is dead without knowing it would be waited on for ever.
        if (connection.status === 'ready' && String(error).includes('timed out')) connection.disconnect(true)
        waitMs = Math.min(LONGEST_WAIT_MS, Math.max(FIRST_WAIT_MS, waitMs * 2))
        await sleep(waitMs * (0.5 + Math.random()))
      }
    }
  }

  function deliver(partition: number, raw: RawEntry): void {
    const place = places[partition] as Place
    const entry = parse(partition, raw)
    if (entry === null) {
      const id = parseEntryId(raw[0].toString())
      places[partition] = { ...place, id }
      tellGap({ partition, after: place.id, through: id })
      return
    }
    const { id, firstNumber, generation } = entry
    places[partition] = { id, nextNumber: firstNumber + entry.lengths.length, generation }
    const isNext = firstNumber === place.nextNumber && (generation === place.generation || place.generation === null)
    if (isNext) for (const listener of listeners) listener.onEntry(entry)
    else tellGap({ partition, after: place.id, through: id })
  }

  function parse(partition: number, raw: RawEntry): Entry | null {
    try {
      return parseEntry(partition, raw)
    } catch (err) {
      log.error({ err, partition }, 'live events: an entry cannot be read')
      return null
    }
  }

  function tellGap(gap: Gap): void {
    log.warn({ gap }, 'live events: entries were gone before they were read; they are looked up in the log')
    for (const listener of listeners) listener.onGap(gap)
  }

  return {
    subscribe,
    async close() {
      for (const listener of listeners) listener.onEnd?.()
      listeners.clear()
      await starting?.catch(() => {})
      redis?.disconnect()
      redis = null
      await running
    },
  }
}
