/** kill -9 of a services process in mid-ingest: what it had read and not committed is committed by who follows it. */
import { test } from 'node:test'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'

test('events in the hands of a services process that is killed are in the log', async (t) => {
  const { services, record, sendHttp, query, assertKept } = await startCluster(t)
  const producer = sendHttp({ persistedEvery: 0 })
  const service = services[0] as (typeof services)[0]
  for (let round = 1; round <= 3; round++) {
    const before = record.acknowledged.size
    await waitUntil(() => record.acknowledged.size > before + 300, { timeoutMs: 20_000 })
    // Holding the table makes sure that it has entries in its hands when it dies.
    const held = query('begin; lock table event in exclusive mode; select pg_sleep(1); commit')
    const behind = record.acknowledged.size
    await waitUntil(() => record.acknowledged.size > behind + 50, { timeoutMs: 20_000 })
    await service.kill9()
    await held
    await service.start()
  }
  await producer.stop()
  await assertKept()
})
