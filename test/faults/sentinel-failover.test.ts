/** The primary that Sentinel watches is killed: everybody goes on with the next one, and nobody has to do anything. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
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

test('after a failover to a replica that lagged, what was persisted is whole, the rest is in the ledger', {
  timeout: 60_000,
}, async (t) => {
  const redis = await ownSentinelSet(t, { candidates: 1 })
  const { record, apis, services, postgres, sendHttp, query, assertKept } = await startCluster(t, {
    settings: { MILLRACE_REDIS_URL: redis.url },
  })
  const [service] = services as [(typeof services)[number]]
  const more = async (count: number) => {
    const before = record.acknowledged.size
    await waitUntil(() => record.acknowledged.size > before + count, { timeoutMs: 20_000, what: 'ingest to go on' })
  }
  const early = sendHttp({ persistedEvery: 2 })
  await more(300)
  const primary = await redis.primary()
  for (const server of redis.servers) if (server !== primary) await redis.cutOff(server)
  await more(300) // read and persisted, and on no replica
  await early.stop()
  const unpersisted = sendHttp({ persistedEvery: 0 })
  const holder = new pg.Client({ connectionString: postgres.url })
  await holder.connect()
  try {
    await holder.query('begin; lock table event in exclusive mode')
    await more(200) // read and not persisted: the first of it in a transaction that waits, the rest in memory
    const waiting = `select from pg_locks where relation = 'event'::regclass and not granted`
    await waitUntil(async () => (await query(waiting)).length > 0, { what: 'a transaction that waits' })
    service.pause()
    await more(200) // not even read
    await unpersisted.stop()
    const failing = redis.failOver()
    service.resume()
    await failing
  } finally {
    await holder.query('commit')
    await holder.end()
  }
  const before = new Set(record.acknowledged.keys())
  const late = sendHttp({ persistedEvery: 2 })
  await more(400)
  await late.stop()

  const { inLedger } = await assertKept({ mayLose: true })
  assert.ok(inLedger.length > 100, `of 400 events that the primary alone had, ${inLedger.length} were lost`)
  assert.ok(
    inLedger.every(({ id }) => before.has(id)),
    'what was appended after the failover is read like everything else',
  )
  const losses = await query<{ group: string; partition: number; cause: string; ends: boolean }>(
    'select "group", partition, cause, (first_ms, first_seq) <= (last_ms, last_seq) as ends from loss',
  )
  const told = JSON.stringify(losses)
  assert.ok(
    losses.every(({ ends }) => ends),
    told,
  )
  // Whichever group looks first raises the numbers above what it has applied; one that had applied less finds the gap.
  const of = (group: string) => losses.filter((loss) => loss.group === group)
  assert.ok(
    of('persister').every(({ cause }) => cause === 'rolled_back' || cause === 'missing'),
    told,
  )
  const rolledBack = losses.filter(({ cause }) => cause === 'rolled_back').map(({ partition }) => partition)
  assert.equal(new Set(rolledBack).size, 8, told)
  assert.ok(of('persister').length <= 16, `one for each partition and cause at most: ${told}`)
  assert.ok(
    apis[0]?.log.some((line) => line.includes('lost events that it had taken')),
    'the API server noticed too',
  )
  for (const { name, log } of [service, ...apis]) assert.ok(log.length < 150, `${name} wrote ${log.length} lines`)
})
