/** Slots of a Redis Cluster move while events come in: everybody follows them, and nothing is lost, doubled or reordered. */
import { test } from 'node:test'
import { createKeys } from '#src/bus/keys.ts'
import { waitUntil } from '#test/wait-until.ts'
import { ownCluster } from '../servers/cluster.ts'
import { startCluster } from './harness/cluster.ts'

test('events that come in while their partitions move from node to node are in the log', async (t) => {
  const redis = await ownCluster(t)
  const { record, sendHttp, sendSocket, assertKept } = await startCluster(t, {
    settings: { MILLRACE_REDIS_URL: redis.url },
    services: 2,
  })
  const producers = [sendHttp(), sendSocket()]
  const keys = createKeys('millrace')
  for (const partition of [0, 1, 2, 3, 4, 5, 6, 7]) {
    const before = record.acknowledged.size
    await waitUntil(() => record.acknowledged.size > before + 60, { timeoutMs: 20_000, what: 'ingest to go on' })
    const from = await redis.nodeOf(keys.stream(partition))
    const to = redis.nodes[(redis.nodes.indexOf(from) + 1) % 3]
    if (to !== undefined) await redis.moveSlotOf(keys.stream(partition), to)
  }
  const before = record.acknowledged.size
  await waitUntil(() => record.acknowledged.size > before + 300, { timeoutMs: 20_000, what: 'ingest to go on' })
  await Promise.all(producers.map((producer) => producer.stop()))
  await assertKept()
})
