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

test('entries trimmed by somebody else are in the ledger, and what comes after them is taken', async (t) => {
  const { redisClient, record, sendHttp, services, query, assertKept } = await startCluster(t)
  const [service] = services as [(typeof services)[0]]
  /** What one producer after the other sends, of the same resources, so that the log knows where all of them are. */
  const more = async (persistedEvery: number) => {
    const before = new Set(record.acknowledged.keys())
    const producer = sendHttp({ persistedEvery })
    await waitUntil(() => record.acknowledged.size > before.size + 300, { timeoutMs: 20_000, what: 'ingest to go on' })
    await producer.stop()
    return [...record.acknowledged.keys()].filter((id) => !before.has(id))
  }
  const trim = async () => {
    for (const stream of STREAMS) await redisClient.xtrim(stream, 'MAXLEN', 0)
  }
  await more(2)
  service.pause()
  const whileFrozen = await more(0)
  await trim()
  service.resume()
  await more(2)
  await service.kill9()
  const whileAway = await more(0)
  await trim()
  await service.start()
  await more(1)

  const { inLedger } = await assertKept({ mayLose: true })
  const lost = new Set(inLedger.map(({ id }) => id))
  for (const each of [whileFrozen, whileAway])
    assert.ok(
      each.some((id) => lost.has(id)),
      'nothing was lost, so nothing was tested',
    )
  const losses = await query<{ cause: string; events: number | null }>(
    `select cause, events::int4 as events from loss where "group" = 'persister'`,
  )
  // `trimmed` is what it was given before: a frozen process may be given one entry of each stream.
  assert.ok(
    losses.every(({ cause }) => cause === 'missing' || cause === 'trimmed'),
    JSON.stringify(losses),
  )
  const told = losses.reduce((sum, { events }) => sum + (events ?? 0), 0)
  assert.ok(told > 0 && told <= inLedger.length, `the ledger says ${told} of ${inLedger.length}`)
  assert.ok(service.lines('error').length < 50, service.lines('error').slice(0, 5).join('\n'))
})
