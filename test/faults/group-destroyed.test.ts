/** Somebody destroys the consumer group, sets it back or trims the stream: it is made again, and what is missing is said. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'

const STREAMS = Array.from({ length: 8 }, (_, partition) => `{millrace:${partition}}:events`)

test('a group that was destroyed or set back is made again and loses nothing', async (t) => {
  const { redisClient, record, sendHttp, services, assertKept } = await startCluster(t)
  const producer = sendHttp({ persistedEvery: 0 })
  const progress = async () => {
    const before = record.acknowledged.size
    await waitUntil(() => record.acknowledged.size > before + 300, { timeoutMs: 20_000, what: 'ingest to go on' })
  }
  await progress()
  for (let round = 0; round < 5; round++) {
    for (const stream of STREAMS) await redisClient.xgroup('DESTROY', stream, 'persister')
    await progress()
  }
  for (const stream of STREAMS)
    await waitUntil(() => redisClient.xgroup('SETID', stream, 'persister', '0'), { what: 'the group to be made again' })
  await progress()
  await producer.stop()
  await assertKept()
  const pending = async () => {
    const all = await Promise.all(STREAMS.map((stream) => redisClient.xpending(stream, 'persister')))
    return all.reduce((sum, [count]) => sum + Number(count), 0)
  }
  await waitUntil(async () => (await pending()) === 0, { what: 'everything delivered again to be acknowledged' })
  const warnings = services.flatMap((each) => each.lines('warn'))
  assert.ok(warnings.length < 100, `it wrote ${warnings.length} warnings: ${warnings.slice(0, 5).join('\n')}`)
})

test('entries trimmed by somebody else are missed aloud, and what comes after them is taken', async (t) => {
  const { redisClient, record, sendHttp, services, query, assertKept } = await startCluster(t)
  const service = services[0] as (typeof services)[0]
  const producer = sendHttp({ persistedEvery: 0 })
  await waitUntil(() => record.acknowledged.size > 300, { timeoutMs: 20_000 })
  service.pause()
  const before = record.acknowledged.size
  await waitUntil(() => record.acknowledged.size > before + 300, { timeoutMs: 20_000 })
  await producer.stop()
  for (const stream of STREAMS) await redisClient.xtrim(stream, 'MAXLEN', 0)
  const early = new Set(record.acknowledged.keys())
  service.resume()
  const later = sendHttp({ name: 'later', persistedEvery: 1 })
  await waitUntil(() => record.acknowledged.size > early.size + 300, { timeoutMs: 20_000, what: 'ingest to go on' })
  await later.stop()
  await assertKept({ promised: ['persisted'] })
  const there = new Set((await query<{ id: string }>('select id from event')).map(({ id }) => id))
  const lost = [...early].filter((id) => !there.has(id)).length
  assert.ok(lost > 0, 'nothing was lost, so nothing was tested')
  await waitUntil(() => service.lines('error').length > 0, { what: 'it to say so' })
  assert.ok(service.lines('error').length < 50, service.lines('error').slice(0, 5).join('\n'))
})
