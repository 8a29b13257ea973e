/** Postgres away for a while: ingest goes on, or is refused in words with Retry-After; nothing acknowledged is lost. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'

const AWAY_MS = process.env['MILLRACE_FAULTS_LONG'] === '1' ? 30_000 : 10_000

test('ingest goes on while Postgres is away, and nothing is lost', async (t) => {
  const { postgres, record, sendHttp, sendSocket, assertKept } = await startCluster(t)
  const producers = [
    sendHttp({ persistedEvery: 0 }),
    sendHttp({ name: 'sure', senders: 2, persistedEvery: 1 }),
    sendSocket(),
  ]
  await waitUntil(() => record.acknowledged.size > 300, { timeoutMs: 20_000 })
  await postgres.stop()
  const before = record.acknowledged.size
  await sleep(AWAY_MS)
  assert.ok(record.acknowledged.size > before + 500, 'events can be appended while Postgres is away')
  await postgres.restart()
  await Promise.all(producers.map((producer) => producer.stop()))
  await assertKept()
})
