/** A Redis Cluster of a test's own: three primaries, each a real process, with a third of the slots each. */
import { Redis } from 'ioredis'
import { freePort } from '#src/embedded/free-port.ts'
import { waitUntil } from '../wait-until.ts'
import type { TestScope } from '../world.ts'
import { type OwnRedis, ownRedis } from './redis.ts'

export interface OwnCluster {
  /** `redis+cluster://…` with all nodes. */
  readonly url: string
  readonly nodes: readonly ClusterNode[]
  /** The node that has a key now. */
  nodeOf(key: string): Promise<ClusterNode>
  /** Moves the slot of a key to another node, step by step as `redis-cli --cluster reshard` does. */
  moveSlotOf(key: string, to: ClusterNode): Promise<void>
}

export interface ClusterNode {
  readonly server: OwnRedis
  /** A client of the test's own to this node alone. */
  readonly client: Redis
  readonly id: string
}

const SLOTS = 16_384
const PASSWORD = 'of-the-cluster'

/** Started now and ended with `t`; resolves when every node knows that the cluster is whole. */
export async function ownCluster(t: TestScope): Promise<OwnCluster> {
  const clients: Redis[] = []
  t.after(async () => {
    for (const client of clients) client.disconnect()
  })
  const nodes = await Promise.all(
    [0, 1, 2].map(async (place) => {
      const busPort = await freePort() // the default, port + 10000, lies where the system takes ports for connections
      const server = await ownRedis(t, {
        password: PASSWORD,
        config: {
          masterauth: PASSWORD,
          'cluster-enabled': 'yes',
          'cluster-port': String(busPort),
          'cluster-node-timeout': '2000',
        },
      })
      const client = new Redis(server.port, { password: PASSWORD })
      client.on('error', () => {})
      clients.push(client)
      await client.cluster('SET-CONFIG-EPOCH', place + 1)
      const [from, to] = [place, place + 1].map((third) => Math.floor((third * SLOTS) / 3)) as [number, number]
      await client.cluster('ADDSLOTSRANGE', from, to - 1)
      return { server, client, busPort, id: String(await client.cluster('MYID')) }
    }),
  )
  const [first, ...others] = nodes as [(typeof nodes)[number], ...typeof nodes]
  for (const { server, busPort } of others)
    await first.client.call('CLUSTER', 'MEET', '127.0.0.1', server.port, busPort)
  for (const { client } of nodes) await waitUntil(() => isWhole(client), { what: 'the cluster to be whole' })

  const slotOf = (key: string) => first.client.cluster('KEYSLOT', key)
  const nodeOf = async (key: string): Promise<ClusterNode> => {
    const slot = await slotOf(key)
    const ranges = await first.client.cluster('SLOTS')
    const id = ranges.find(([from, to]) => from <= slot && slot <= to)?.[2]?.[2]
    return nodes.find((node) => node.id === id) as ClusterNode
  }
  return {
    url: `redis+cluster://:${PASSWORD}@${nodes.map(({ server }) => `127.0.0.1:${server.port}`).join(',')}`,
    nodes,
    nodeOf,
    moveSlotOf: async (key, to) => moveSlot(nodes, await slotOf(key), await nodeOf(key), to),
  }
}

async function moveSlot(nodes: readonly ClusterNode[], slot: number, from: ClusterNode, to: ClusterNode) {
  await to.client.cluster('SETSLOT', slot, 'IMPORTING', from.id)
  await from.client.cluster('SETSLOT', slot, 'MIGRATING', to.id)
  for (;;) {
    // Key by key, so that for a while some of a partition's keys are here and some are there.
    const [key] = (await from.client.cluster('GETKEYSINSLOT', slot, 1)) as string[]
    if (key === undefined) break
    await from.client.migrate('127.0.0.1', to.server.port, key, 0, 5_000, 'AUTH', PASSWORD)
  }
  for (const { client } of [to, from, ...nodes]) await client.cluster('SETSLOT', slot, 'NODE', to.id)
}

async function isWhole(client: Redis): Promise<boolean> {
  const info = String(await client.cluster('INFO'))
  return /cluster_state:ok/.test(info) && /cluster_known_nodes:3/.test(info)
}
