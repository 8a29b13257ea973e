/** FLUSHALL under load: what was acknowledged as `persisted` is there, the rest is in the loss ledger, and all goes on by itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'

test('events acknowledged as persisted outlive a FLUSHALL, and ingest recovers by itself', async (t) => {
  const { apis, services, redisClient, record, sendHttp, assertKept } = await startCluster(t, {
    services: 2,
  })
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

test('what the log had and the recorder had not when everything was flushed comes to the tables all the same', async (t) => {
  const { redisClient, postgres, record, sendHttp, query, assertKept } = await startCluster(t)
  const producer = sendHttp({ persistedEvery: 1 })
  const progress = async (events: number) => {
    const before = record.acknowledged.size
    await waitUntil(() => record.acknowledged.size > before + events, { timeoutMs: 20_000, what: 'ingest to go on' })
  }
  await progress(100)
  // The recorder can't write for a while, the persister can.
  const holder = new pg.Client({ connectionString: postgres.url })
  await holder.connect()
  try {
    await holder.query('begin; lock table resource_activity in exclusive mode')
    await progress(200)
    await redisClient.flushall()
  } finally {
    await holder.end()
  }
  await progress(200)
  await producer.stop()
  await assertKept({ mayLose: true })
  const lost = await query<{ cause: string }>(`select * from loss where "group" = 'recorder' order by id`)
  assert.ok(lost.length > 0 && lost.every(({ cause }) => cause === 'flushed'), JSON.stringify(lost))
})
