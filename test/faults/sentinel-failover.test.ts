/** The primary that Sentinel watches is killed: everybody goes on with the next one, and nobody has to do anything. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitUntil } from '#test/wait-until.ts'
import { ownSentinelSet } from '../servers/sentinel.ts'
import { startCluster } from './harness/cluster.ts'

test('what a replica had to confirm before it was acknowledged survives the primary', {
  timeout: 60_000,
}, async (t) => {
  const redis = await ownSentinelSet(t)
  const settings = { MILLRACE_REDIS_URL: redis.url, MILLRACE_STREAMS_WAIT_REPLICAS: '1' }
  const { record, services, sendHttp, sendSocket, assertKept } = await startCluster(t, { settings })
  const producers = [sendHttp(), sendSocket()]
  const more = async (count: number) => {
    const before = record.acknowledged.size
    await waitUntil(() => record.acknowledged.size > before + count, { timeoutMs: 20_000, what: 'ingest to go on' })
  }
  await more(300)
  await redis.failOver()
  await more(300)
  await Promise.all(producers.map((producer) => producer.stop()))
  await assertKept()
  assert.ok((services[0]?.lines('warn').length ?? 0) < 60, services[0]?.lines('warn').slice(0, 5).join('\n'))
})

test('after a failover to a replica that lagged, what was persisted is whole, the rest is missed aloud', {
  timeout: 60_000,
}, async (t) => {
  const redis = await ownSentinelSet(t, { candidates: 1 })
  const { record, apis, services, sendHttp, query, assertKept } = await startCluster(t, {
    settings: { MILLRACE_REDIS_URL: redis.url },
  })
  const [service] = services as [(typeof services)[number]]
  const more = async (count: number) => {
    const before = record.acknowledged.size
    await waitUntil(() => record.acknowledged.size > before + count, { timeoutMs: 20_000, what: 'ingest to go on' })
  }
  const early = sendHttp({ name: 'early', persistedEvery: 2 })
  await more(300)
  const primary = await redis.primary()
  for (const server of redis.servers) if (server !== primary) await redis.cutOff(server)
  await more(300) // read and persisted, and on no replica
  await early.stop()
  service.pause()
  const unread = sendHttp({ name: 'unread', persistedEvery: 0 })
  await more(200)
  await unread.stop()
  const before = new Set(record.acknowledged.keys())
  const failing = redis.failOver()
  service.resume()
  await failing
  const late = sendHttp({ name: 'late', persistedEvery: 2 })
  await more(400)
  await late.stop()

  await assertKept({ promised: ['persisted'] })
  const there = new Set((await query<{ id: string }>('select id from event')).map(({ id }) => id))
  const lost = [...before].filter((id) => !there.has(id))
  assert.ok(lost.length > 0, 'nothing was lost, so nothing was tested')
  const after = [...record.acknowledged.keys()].filter((id) => !before.has(id) && !there.has(id))
  assert.deepEqual(after, [], 'what was appended after the failover is read like everything else')
  t.diagnostic(`${lost.length} events were only on the primary and not read yet`)
  const losses = service.log.filter((line) => /"group":"persister".*"cause":"rolled_back"/.test(line))
  assert.ok(losses.length > 0 && losses.length <= 8, `one for each partition at most: ${losses.join('\n')}`)
  assert.ok(
    apis[0]?.log.some((line) => line.includes('lost events that it had taken')),
    'the API server noticed too',
  )
  for (const { name, log } of [service, ...apis]) assert.ok(log.length < 150, `${name} wrote ${log.length} lines`)
})
