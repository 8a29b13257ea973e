/** kill -9 of an API server in mid-ingest: whatever it acknowledged is in the log, exactly once and in order. */
import { test } from 'node:test'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'

test('events acknowledged by an API server that is killed are in the log', async (t) => {
  const { apis, record, random, sendHttp, sendSocket, assertKept } = await startCluster(t, { apis: 2 })
  const producers = [sendHttp(), sendSocket()]
  for (let round = 1; round <= 3; round++) {
    await waitUntil(() => record.acknowledged.size > round * 400, { timeoutMs: 20_000 })
    const victim = random.pick(apis)
    await victim.kill9()
    await victim.start()
  }
  const before = record.acknowledged.size
  await waitUntil(() => record.acknowledged.size > before + 200, { timeoutMs: 20_000 })
  await Promise.all(producers.map((producer) => producer.stop()))
  await assertKept()
})
