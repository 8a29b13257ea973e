import { type Bell, createBell } from './bell.ts'
import { type Client, Cluster } from './connection.ts'
import type { RawEntry } from './entry.ts'
import type { Keys } from './keys.ts'

/** A read of several partitions at once. */
export interface StreamsRead {
  /** The command and what comes before BLOCK: `['XREADGROUP', 'GROUP', …, 'COUNT', 10]`. COUNT is for each partition. */
  readonly command: readonly [name: string, ...rest: (string | number)[]]
  readonly partitions: readonly number[]
  /** What to read after in each of them, in the same order: an id, or `>`. */
  readonly after: readonly string[]
  /** How long to wait for the first entry; 0 not at all. */
  readonly blockMs: number
}

/** Entries by partition; those without any are missing. */
export type Found = (readonly [partition: number, entries: RawEntry[]])[]

/** Reads partitions, errors as ioredis gives them. */
export type ReadStreams = (read: StreamsRead) => Promise<Found>

/**
 * How a reader waits for several partitions. On one server it is one blocked command. In a cluster it is one command for
 * each partition, over the one connection there is to each node, and none of them blocks: each node's are on their way
 * together, all nodes side by side. Those partitions are read that were rung for, that had something the last time, or
 * that nobody has looked at for half a second. ioredis follows a slot that has moved.
 * @param client used by this reader alone, since it is blocked for as long as the reader waits
 */
export function createReadStreams(client: Client, keys: Pick<Keys, 'stream' | 'appended'>): ReadStreams {
  if (client instanceof Cluster) return readCluster(client, keys, createBell(client, keys))
  return async ({ command, partitions, after, blockMs }) => {
    const [name, ...rest] = command
    const streams = partitions.map(keys.stream)
    const block = blockMs > 0 ? ['BLOCK', blockMs] : []
    const reply = await client.callBuffer(name, ...rest, ...block, 'STREAMS', ...streams, ...after)
    const partitionOf = new Map(streams.map((stream, i) => [stream, partitions[i] as number]))
    return ((reply ?? []) as Reply).map(([key, entries]) => [partitionOf.get(key.toString()) as number, entries])
  }
}

/** How soon all partitions are looked at without a ring, should one be lost; later for those who wait longer. */
const LOOK_MS = 500

function readCluster(cluster: Cluster, keys: Pick<Keys, 'stream'>, bell: Bell): ReadStreams {
  const { rung } = bell
  let looked: readonly number[] = [] // partitions of the last look at all of them
  let lookedMs = 0

  async function readEach({ command, partitions, after }: StreamsRead, wanted: (partition: number) => boolean) {
    const [name, ...rest] = command
    const replies = partitions.map(async (partition, i): Promise<Found> => {
      if (!wanted(partition)) return []
      rung.delete(partition)
      const reply = await cluster.callBuffer(name, ...rest, 'STREAMS', keys.stream(partition), after[i] as string)
      const entries = (reply as Reply | null)?.[0]?.[1] ?? []
      if (entries.length === 0) return []
      rung.add(partition) // there may be more
      return [[partition, entries]]
    })
    // All are waited for, also when one has failed: what is still to come would be taken for the next read's.
    const settled = await Promise.allSettled(replies)
    const failed = settled.find((one) => one.status === 'rejected')
    if (failed === undefined) return settled.flatMap((one) => (one.status === 'fulfilled' ? one.value : []))
    bell.missed = true
    throw failed.reason
  }

  async function readAll(read: StreamsRead): Promise<Found> {
    looked = read.partitions
    lookedMs = Date.now()
    bell.missed = false
    return await readEach(read, () => true)
  }

  return async (read) => {
    const { partitions, blockMs } = read
    if (blockMs === 0) return await readAll(read)
    const endMs = Date.now() + blockMs
    const lookMs = Math.max(LOOK_MS, blockMs)
    for (;;) {
      const found =
        bell.missed || Date.now() - lookedMs >= lookMs || !sameList(partitions, looked)
          ? await readAll(read)
          : await readEach(read, (partition) => rung.has(partition))
      if (found.length > 0 || Date.now() >= endMs) return found
      // What is left is rung for partitions that others read.
      for (const partition of [...rung]) if (!partitions.includes(partition)) rung.delete(partition)
      await bell.heard(Math.min(endMs, lookedMs + lookMs) - Date.now())
    }
  }
}

type Reply = [key: Buffer, entries: RawEntry[]][]

function sameList(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i])
}
