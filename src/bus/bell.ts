import { type Client, Cluster } from './connection.ts'
import type { Keys } from './keys.ts'

/** Tells the readers of a cluster that a partition has news. */
export type Ring = (partition: number) => void

/**
 * In a cluster nobody can wait for several partitions with one blocked read (a command's keys must be of one slot), so
 * whoever appends says so on a channel. It is a hint: one that is lost costs a reader some hundred milliseconds, once.
 * Null where a blocked read does it better. Rings that come while one is under way go together in the next.
 */
export function createRing(client: Client, keys: Pick<Keys, 'appended'>): Ring | null {
  if (!(client instanceof Cluster)) return null
  const waiting = new Set<number>()
  let underWay = false
  async function send(): Promise<void> {
    underWay = true
    while (waiting.size > 0) {
      const message = [...waiting].join(',')
      waiting.clear()
      await client.publish(keys.appended(), message).catch(() => {}) // the readers look by themselves before long
    }
    underWay = false
  }
  return (partition) => {
    waiting.add(partition)
    if (!underWay) void send()
  }
}

/** Collects what is rung, for one reader. */
export interface Bell {
  /** Partitions rung since they were last taken out. */
  readonly rung: Set<number>
  /** True when rings may have been missed, as before it listened; to be set to false by who then looks everywhere. */
  missed: boolean
  /** Resolves when there is a reason to look, at once when there is one already, or after `withinMs`. */
  heard(withinMs: number): Promise<void>
}

/** Listens on the client's own extra connection for subscriptions, which follows the cluster's nodes. */
export function createBell(cluster: Cluster, keys: Pick<Keys, 'appended'>): Bell {
  let wake = () => {}
  const bell: Bell = {
    rung: new Set(),
    missed: true,
    heard(withinMs) {
      if (bell.rung.size > 0 || bell.missed) return Promise.resolve()
      return new Promise((resolve) => {
        const timer = setTimeout(() => wake(), withinMs)
        wake = () => {
          clearTimeout(timer)
          wake = () => {}
          resolve()
        }
      })
    },
  }
  cluster.on('message', (channel: string, message: string) => {
    if (channel !== keys.appended()) return
    for (const partition of message.split(',')) bell.rung.add(Number(partition))
    wake()
  })
  cluster.on('end', () => {
    bell.missed = true // whoever looks is told that it is closed
    wake()
  })
  const subscribe = async () => {
    await cluster.subscribe(keys.appended())
    bell.missed = true
    wake()
  }
  const trySubscribe = () => void subscribe().catch(() => {}) // again when the cluster is there again
  cluster.on('ready', trySubscribe)
  if (cluster.status === 'ready') trySubscribe()
  return bell
}
