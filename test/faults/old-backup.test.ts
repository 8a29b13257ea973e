/** Redis comes back from an old copy of its file, under load: what was persisted is whole, the rest is in the ledger. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'

test('after the restore of an old append-only file all goes on by itself, and what is lost is in the ledger', async (t) => {
  const { redis, apis, services, record, sendHttp, sendSocket, query, assertKept } = await startCluster(t, {
    services: 2,
  })
  const producers = [sendHttp({ persistedEvery: 2 }), sendSocket()]
  const progress = async (events: number) => {
    const before = record.acknowledged.size
    await waitUntil(() => record.acknowledged.size > before + events, { timeoutMs: 30_000, what: 'ingest to go on' })
  }
  await progress(300)
  const restore = redis.backUp()
  await progress(600)
  // Nothing is committed for a while, so that Redis alone has what it is about to lose.
  const held = query('begin; lock table event in exclusive mode; select pg_sleep(2); commit')
  await progress(100)
  await restore()
  await held
  const persisted = () => [...record.acknowledged.values()].filter(({ how }) => how === 'persisted').length
  const before = persisted()
  await waitUntil(() => persisted() > before + 200, { timeoutMs: 30_000, what: 'ingest to go on' })
  await Promise.all(producers.map((producer) => producer.stop()))
  const { inLedger } = await assertKept({ mayLose: true })
  assert.ok(inLedger.length > 0, 'Redis lost nothing, so nothing was tested')
  const causes = await query<{ cause: string }>('select distinct cause from loss')
  assert.ok(causes.some(({ cause }) => cause === 'rolled_back'))
  for (const each of [...apis, ...services]) {
    const lines = each.lines('warn')
    assert.ok(lines.length < 100, `${each.name} wrote ${lines.length} warnings: ${lines.slice(0, 5).join('\n')}`)
  }
})
