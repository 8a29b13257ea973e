/** kill -9 of a Redis whose append-only file is fsynced always: what was acknowledged is there when it is back. */
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'

test('events acknowledged before Redis was killed are in the log', async (t) => {
  const { redis, record, random, sendHttp, sendSocket, assertKept } = await startCluster(t)
  const producers = [sendHttp(), sendSocket()]
  for (let round = 1; round <= 3; round++) {
    const before = record.acknowledged.size
    await waitUntil(() => record.acknowledged.size > before + 300, { timeoutMs: 20_000 })
    await redis.kill9()
    await sleep(random.below(500))
    await redis.restart()
  }
  const before = record.acknowledged.size
  await waitUntil(() => record.acknowledged.size > before + 200, { timeoutMs: 20_000 })
  await Promise.all(producers.map((producer) => producer.stop()))
  await assertKept()
})
