/** A record that Postgres refuses is set aside with its reason; what stands beside it is in the log, and all goes on. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { createBus } from '#src/bus/index.ts'
import type { EncodedEvent } from '#src/events/encode.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'

test('a record that Postgres refuses stops nobody', async (t) => {
  const { redis, record, sendHttp, query, assertKept } = await startCluster(t)
  const bus = await createBus({
    url: redis.url,
    prefix: 'millrace',
    partitions: 8,
    allowEviction: false,
    dedupWindowMs: 60_000,
    dedupMaxIds: 10_000,
    holdBacklogEvents: 20_000,
    maxBacklogEvents: 250_000,
    holdMs: 2_000,
    log: createLog('silent'),
    metrics: createMetrics({ defaults: false }),
  })
  const producer = sendHttp()
  try {
    await waitUntil(() => record.acknowledged.size > 200, { timeoutMs: 20_000 })
    for (const text of ['not a row of the log\n', 'broken \x02 quote\n', '\x01\x01\x01\n'])
      await bus.producer().append([0, 3, 7].map((key) => poison(key, text)))
    const letters = () => query<{ reason: string; group: string }>('select reason, "group" from dead_letter')
    await waitUntil(async () => (await letters()).length >= 18, { timeoutMs: 20_000, what: '9 dead letters of each' })
    for (const group of ['persister', 'recorder'])
      assert.equal((await letters()).filter((letter) => letter.group === group).length, 9, group)
    for (const { reason } of await letters()) assert.ok(reason.length > 10, reason)
    const before = record.acknowledged.size
    await waitUntil(() => record.acknowledged.size > before + 200, { timeoutMs: 20_000 })
  } finally {
    await producer.stop()
    bus.close()
  }
  await assertKept()
})

function poison(keyHash: number, text: string): EncodedEvent {
  return {
    id: randomUUID(),
    keyHash,
    occurredMs: Date.now(),
    day: Math.floor(Date.now() / 86_400_000),
    record: Buffer.from(text),
  }
}
