/** kill -9 of Postgres, its helpers included, in mid-ingest: what was acknowledged is in the log, exactly once. */
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'

test('events acknowledged while Postgres was killed are in the log', async (t) => {
  const { postgres, record, random, sendHttp, sendSocket, assertKept } = await startCluster(t)
  const producers = [sendHttp(), sendSocket()]
  for (let round = 1; round <= 3; round++) {
    const before = record.acknowledged.size
    await waitUntil(() => record.acknowledged.size > before + 300, { timeoutMs: 20_000 })
    await postgres.kill9()
    await sleep(500 + random.below(500))
    await postgres.restart()
  }
  const before = record.acknowledged.size
  await waitUntil(() => record.acknowledged.size > before + 200, { timeoutMs: 20_000 })
  await Promise.all(producers.map((producer) => producer.stop()))
  await assertKept()
})
