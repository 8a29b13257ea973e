/** More than may wait comes while nobody writes the log: senders are refused with Retry-After, and taken again later. */
import { test } from 'node:test'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'

test('senders are refused in words when too much waits, and nothing they were promised is lost', async (t) => {
  const { services, record, sendHttp, assertKept } = await startCluster(t, {
    settings: { MILLRACE_INGEST_HOLD_BACKLOG_EVENTS: '500', MILLRACE_INGEST_MAX_BACKLOG_EVENTS: '1000' },
  })
  const service = services[0] as (typeof services)[0]
  await service.kill9()
  const producer = sendHttp({ persistedEvery: 0 })
  await waitUntil(() => (record.refusals.get('429') ?? 0) > 3, { timeoutMs: 20_000, what: 'a 429' })
  await service.start()
  const before = record.acknowledged.size
  await waitUntil(() => record.acknowledged.size > before + 500, { timeoutMs: 20_000 })
  await producer.stop()
  await assertKept()
})
