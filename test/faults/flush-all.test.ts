/** FLUSHALL under load: what was acknowledged as `persisted` is there, the rest is in the loss ledger, and all goes on by itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'

test('events acknowledged as persisted outlive a FLUSHALL, and ingest recovers by itself', async (t) => {
  const { apis, services, redisClient, record, sendHttp, assertKept } = await startCluster(t, { services: 2 })
  const producer = sendHttp({ persistedEvery: 2 })
  const persisted = () => [...record.acknowledged.values()].filter(({ how }) => how === 'persisted').length
  for (let round = 1; round <= 3; round++) {
    const before = persisted()
    await waitUntil(() => persisted() > before + 200, { timeoutMs: 20_000, what: 'ingest to go on' })
    await redisClient.flushall()
  }
  const before = persisted()
  await waitUntil(() => persisted() > before + 200, { timeoutMs: 20_000, what: 'ingest to go on' })
  await producer.stop()
  await assertKept({ mayLose: true })
  for (const each of [...apis, ...services]) {
    const lines = each.lines('warn')
    assert.ok(lines.length < 100, `${each.name} wrote ${lines.length} warnings: ${lines.slice(0, 5).join('\n')}`)
  }
})
