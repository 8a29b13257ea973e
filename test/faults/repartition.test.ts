/** The number of partitions changes under load: nothing is lost or doubled, and a resource's events stay in order. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'
import { REPARTITION_FREEZE } from './harness/failpoints.ts'
import type { ServerProcess } from './harness/process.ts'

test('partitions grow and shrink under load, and order is kept', async (t) => {
  const cluster = await startCluster(t, { apis: 2, services: 2 })
  const { apis, services, record, assertKept, query } = cluster
  const producers = [cluster.sendHttp(), cluster.sendSocket()]
  const progress = async () => {
    const before = record.acknowledged.size
    await waitUntil(() => record.acknowledged.size > before + 200, { timeoutMs: 20_000, what: 'acknowledged events' })
  }
  await progress()
  for (const to of [12, 3, 8]) {
    const answer = await fetch(`${apis[0]?.url}/api/millrace/streams/repartition`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ to }),
    })
    const done = (await answer.json()) as { to: number; heldMs: number }
    assert.equal(answer.status, 200, JSON.stringify(done))
    assert.equal(done.to, to)
    t.diagnostic(`${to} partitions; senders waited ${done.heldMs} ms`)
    await progress()
    const rows = await query<{ partitions: number }>(
      `select count(distinct partition)::int4 as partitions from event where received > now() - interval '500 ms'`,
    )
    assert.ok((rows[0]?.partitions ?? 0) <= 12)
  }
  await services[0]?.kill9()
  await progress()
  for (const producer of producers) await producer.stop()
  await assertKept({ mayMove: true })
})

test('a change that was left behind by a process that died is given up, and appends go on', async (t) => {
  const { apis, record, redisClient, sendHttp, assertKept } = await startCluster(t, {
    apis: 1,
    services: 1,
  })
  const producer = sendHttp()
  await waitUntil(() => record.acknowledged.size > 100, { timeoutMs: 20_000 })
  const [layout] = await redisClient.keys('{*}:layout')
  assert.ok(layout)
  // What a process leaves behind that dies after it has turned appends back.
  await redisClient.hset(layout, 'changing', 2, 'changingUntil', Date.now() + 1_500)
  for (const state of await redisClient.keys('{*}:state')) await redisClient.hset(state, 'layout', 2)
  const before = record.acknowledged.size
  await waitUntil(() => record.acknowledged.size > before + 200, {
    timeoutMs: 20_000,
    what: 'appends after the change was given up',
  })
  const answer = await fetch(`${apis[0]?.url}/api/millrace/streams`)
  assert.equal(((await answer.json()) as { partitions: unknown[] }).partitions.length, 8)
  await producer.stop()
  await assertKept()
})

test('a process that stands still in the middle of a change, and is given up, changes nothing when it wakes', async (t) => {
  const cluster = await startCluster(t, { apis: 2, services: 1 })
  const { apis, services, record, sendHttp, assertKept } = cluster
  const [taking, changing] = apis as [ServerProcess, ServerProcess]
  const [service] = services as [ServerProcess]
  await changing.stop()
  await changing.start({ MILLRACE_TEST_FAILPOINT: REPARTITION_FREEZE.name })
  const producer = sendHttp({ urls: () => [taking.url], persistedEvery: 0 }) // nothing is persisted for a while
  await waitUntil(() => record.acknowledged.size > 100, { timeoutMs: 20_000, what: 'acknowledged events' })
  const answer = fetch(`${changing.url}/api/millrace/streams/repartition`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ to: 12 }),
  })
  await waitUntil(() => changing.isStopped, { timeoutMs: 20_000, what: 'everything to be applied' })
  service.pause() // so that what comes now is still to be applied when the other one wakes
  const before = record.acknowledged.size
  await waitUntil(() => record.acknowledged.size > before + 200, {
    timeoutMs: 20_000,
    what: 'appends after the change was given up',
  })
  changing.resume()
  const refused = await answer
  assert.equal(((await refused.json()) as { code: string }).code, 'REPARTITION_FAILED')
  service.resume()
  await producer.stop()
  await assertKept()
})
