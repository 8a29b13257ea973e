import type { Redis } from 'ioredis'
import { BusUnavailable } from '#src/errors.ts'
import { type Client, Cluster, primariesOf } from './connection.ts'
import type { Keys } from './keys.ts'

/** What an append waits for before it is answered, beyond what the server itself does. */
export interface Durability {
  /** Replicas that must have it. */
  readonly waitReplicas: number
  /** Disks it must be on: none, the primary's, or the primary's and those of `waitReplicas` replicas. */
  readonly waitFsync: 'none' | 'local' | 'replicas'
}

/**
 * Waits until what was appended to a partition is as durable as asked for. To be called when the append's answer is there.
 * @param wrote false when the append found nothing to write, since all of it had been sent before
 * @throws BusUnavailable when that takes too long: it may be in, and may be sent again
 */
export type Confirm = (partition: number, wrote: boolean) => Promise<void>

/** Longest wait for the replicas and disks. Between machines of one site it takes about a millisecond, plus the disk. */
const WAIT_MS = 2_000

/**
 * One WAIT confirms all that was written before it over the same connection. So all appends whose answers are there share
 * one, and those that come while it is under way share the next. Null when nothing is waited for.
 * @param client the one that appends, and nothing that must not wait: WAIT blocks its connection
 */
export function createConfirm(client: Client, keys: Pick<Keys, 'state'>, durability: Durability): Confirm | null {
  if (durability.waitReplicas === 0 && durability.waitFsync === 'none') return null
  const queues = new Map<Redis, () => Promise<void>>()
  const serverOf = createServerOf(client, keys)

  return async (partition, wrote) => {
    // WAIT is about this connection's own writes. What another connection wrote (an event sent again elsewhere), or
    // another node (a slot that moved), is only covered when something is written after it.
    if (!wrote || client instanceof Cluster) await client.hincrby(keys.state(partition), 'confirms', 1)
    const server = await serverOf(partition)
    let join = queues.get(server)
    if (join === undefined) {
      join = shared(() => confirmAll(server, durability))
      queues.set(server, join)
      server.once('end', () => queues.delete(server)) // a cluster's node that is gone; another object if it comes back
    }
    await join()
  }
}

/** Runs one confirmation at a time; who comes while one is under way waits for the next, together with all others. */
function shared(confirm: () => Promise<void>): () => Promise<void> {
  let current: Promise<void> | null = null
  let next: Promise<void> | null = null
  const start = async () => {
    await current?.catch(() => {})
    // Answers that have arrived together join together.
    await new Promise((resolve) => setImmediate(resolve))
    next = null
    current = confirm()
    return current
  }
  return () => {
    next ??= start()
    return next
  }
}

async function confirmAll(server: Redis, { waitReplicas, waitFsync }: Durability): Promise<void> {
  const replicasOnDisk = waitFsync === 'replicas' ? waitReplicas : 0
  const [onDisk, disks] =
    waitFsync === 'none' ? [1, 0] : ((await server.call('WAITAOF', 1, replicasOnDisk, WAIT_MS)) as [number, number])
  if (onDisk < 1) throw tooLate('its own disk')
  if (disks < replicasOnDisk) throw tooLate(`the disks of ${disks} of ${replicasOnDisk} replicas`)
  if (waitReplicas === 0 || replicasOnDisk > 0) return
  const have = await server.wait(waitReplicas, WAIT_MS)
  if (have < waitReplicas) throw tooLate(`${have} of ${waitReplicas} replicas`)
}

function tooLate(where: string): BusUnavailable {
  return new BusUnavailable(
    `Redis has taken it, but within ${WAIT_MS / 1_000} s it was only on ${where}: it may be in, and may be sent again.`,
  )
}

/** The server that has a partition now: the one there is, or by the cluster's map, which MOVED keeps up to date. */
function createServerOf(client: Client, keys: Pick<Keys, 'state'>): (partition: number) => Promise<Redis> {
  if (!(client instanceof Cluster)) return () => Promise.resolve(client)
  const slots = new Map<number, number>() // the slot of a key never changes
  return async (partition) => {
    const slot = slots.get(partition) ?? Number(await client.cluster('KEYSLOT', keys.state(partition)))
    slots.set(partition, slot)
    const name = client.slots[slot]?.[0]
    const server = primariesOf(client).find(({ options }) => `${options.host}:${options.port}` === name)
    if (server === undefined) throw new BusUnavailable(`No node of the cluster has partition ${partition} at present.`)
    return server
  }
}
