/** SCRIPT FLUSH, every client cut, and a Redis that says nothing for 3 s: nothing is lost, and all goes on by itself. */
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'

test('events survive scripts forgotten, connections cut and a Redis that hangs', async (t) => {
  const { redis, redisClient, record, sendHttp, sendSocket, assertKept } = await startCluster(t)
  const producers = [sendHttp(), sendSocket()]
  const troubles: (() => Promise<unknown>)[] = [
    () => redisClient.script('FLUSH'),
    () => redisClient.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
    () => redisClient.client('KILL', 'TYPE', 'pubsub'),
    async () => {
      redis.pause()
      await sleep(3_000)
      redis.resume()
    },
    () => redisClient.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
  ]
  for (const trouble of troubles) {
    const before = record.acknowledged.size
    await waitUntil(() => record.acknowledged.size > before + 300, { timeoutMs: 20_000, what: 'ingest to go on' })
    await trouble()
  }
  const before = record.acknowledged.size
  await waitUntil(() => record.acknowledged.size > before + 200, { timeoutMs: 20_000 })
  await Promise.all(producers.map((producer) => producer.stop()))
  await assertKept()
})
