/** A Redis Cluster of a test's own: three primaries, each a real process, with a third of the slots each; and replicas. */
import { Redis } from 'ioredis'
import { freePort } from '#src/embedded/free-port.ts'
import { waitUntil } from '../wait-until.ts'
import type { TestScope } from '../world.ts'
import { type OwnRedis, ownRedis } from './redis.ts'

export interface OwnCluster {
  /** `redis+cluster://…` with all nodes. */
  readonly url: string
  /** The primaries at the start. */
  readonly nodes: readonly ClusterNode[]
  /** One for each of `nodes`, in their order, or none. */
  readonly replicas: readonly ClusterNode[]
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

/** Started now and ended with `t`; resolves when every node knows that the cluster is whole, and replicas follow. */
export async function ownCluster(
  t: TestScope,
  { withReplicas = false }: { readonly withReplicas?: boolean } = {},
): Promise<OwnCluster> {
  const clients: Redis[] = []
  t.after(async () => {
    for (const client of clients) client.disconnect()
  })
  const start = async () => {
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
    return { server, client, busPort, id: String(await client.cluster('MYID')) }
  }
  const nodes = await Promise.all([start(), start(), start()])
  for (const [place, { client }] of nodes.entries()) {
    await client.cluster('SET-CONFIG-EPOCH', place + 1)
    const [from, to] = [place, place + 1].map((third) => Math.floor((third * SLOTS) / 3)) as [number, number]
    await client.cluster('ADDSLOTSRANGE', from, to - 1)
  }
  const replicas = withReplicas ? await Promise.all(nodes.map(start)) : []
  const all = [...nodes, ...replicas]
  const [first] = nodes
  for (const { server, busPort } of all.filter((node) => node !== first))
    await first.client.call('CLUSTER', 'MEET', '127.0.0.1', server.port, busPort)
  for (const { client } of all)
    await waitUntil(() => isWhole(client, all.length), { what: 'the cluster to be whole', timeoutMs: 20_000 })
  for (const [i, { client }] of replicas.entries()) {
    await client.cluster('REPLICATE', nodes[i]?.id ?? '')
    await waitUntil(async () => /master_link_status:up/.test(await client.info('replication')), { timeoutMs: 20_000 })
  }

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
    replicas,
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

async function isWhole(client: Redis, nodes: number): Promise<boolean> {
  const info = String(await client.cluster('INFO'))
  return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodes}\r`)
}
