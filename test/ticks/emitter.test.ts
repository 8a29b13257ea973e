/** The emitter alone, on a real Redis. Postgres' clock is what the test says it is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, ready } from '#src/bus/connection.ts'
import { createKeys } from '#src/bus/keys.ts'
import { createTickStream, type TickStream } from '#src/bus/ticks.ts'
import { createLog } from '#src/log.ts'
import type { KnownJob } from '#src/ticks/catalog.ts'
import { startEmitter } from '#src/ticks/emitter.ts'
import { waitUntil } from '#test/wait-until.ts'
import { type TestScope, world } from '#test/world.ts'
import { knownVersion } from './known-job.ts'

async function emitting(t: TestScope, jobs: readonly KnownJob[], databaseMs: () => number) {
  const { redisUrl, prefix, defer } = await world(t)
  const log = createLog('silent')
  const clients = [connect({ url: redisUrl }, 'ticks', log), connect({ url: redisUrl }, 'tick-reader', log)] as const
  await Promise.all(clients.map((client) => ready(client, 1_000)))
  const stream = createTickStream(...clients, createKeys(prefix))
  const seen = { emitted: 0, troubles: 0, offered: [] as number[] }
  const emit: TickStream['emit'] = (offers) => {
    seen.offered.push(offers.reduce((sum, { instants }) => sum + instants.length, 0))
    return stream.emit(offers)
  }
  const known = new Map(jobs.map((job) => [job.job, job]))
  const loop = startEmitter({
    stream: { emit, forget: stream.forget },
    catalog: {
      jobs: known,
      refresh: async () => true,
      refreshTo: async () => true,
      ready: () => null,
      versionAt: async () => null,
    },
    clock: { estimate: databaseMs },
    log,
    onEmit: (emitted) => {
      seen.emitted += emitted
    },
    onTrouble: () => {
      seen.troubles++
    },
    onSkew: () => {},
  })
  defer(async () => {
    await loop.stop()
    for (const client of clients) client.disconnect()
  })
  return { loop, seen }
}

function knownJob(job: string, everyMs: number, watermarkMs: number): KnownJob {
  const version = knownVersion({ everyMs }, { catchUp: 'all', overlap: 'allow' }, { job, validFromMs: watermarkMs })
  return { ...version, watermarkMs }
}

test('while the clocks of Redis and Postgres are far apart nothing is emitted, and it says so', async (t) => {
  let aheadMs = 60_000
  const { loop, seen } = await emitting(t, [knownJob('clocks', 50, Date.now())], () => Date.now() - aheadMs)
  await waitUntil(() => seen.troubles === 1)
  assert.match(loop.trouble() ?? '', /clock of Redis is 60 s ahead of that of Postgres/)
  aheadMs = -60_000
  await waitUntil(() => /60 s behind/.test(loop.trouble() ?? ''))
  assert.equal(seen.emitted, 0)
  aheadMs = 1_000
  await waitUntil(() => seen.emitted > 3)
  assert.equal(loop.trouble(), null)
})

test('one call offers a bounded number of instants, however many jobs have a backlog', async (t) => {
  const since = Date.now() - 60_000
  const jobs = Array.from({ length: 400 }, (_, i) => knownJob(`job-${i}`, 1_000, since))
  const { seen } = await emitting(t, jobs, () => Date.now())
  await waitUntil(() => seen.emitted >= 400 * 59)
  assert.ok(Math.max(...seen.offered) <= 2_000, `${Math.max(...seen.offered)} in one call`)
})
