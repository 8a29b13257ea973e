/**
 * A projection is rebuilt under load, and everybody who works on it is killed: the rebuild, the recorder. Then a release
 * with a newer version of it is deployed beside the old one. What is in the table is what the log says; whoever reads it
 * meanwhile never finds less than before.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { loadProjections } from '#src/consumer/load-projections.ts'
import { waitUntil } from '#test/wait-until.ts'
import { type Cluster, startCluster } from './harness/cluster.ts'

const NAME = 'resource-activity'
const TABLE = 'resource_activity'
const NEXT = { MILLRACE_TEST_RELEASE: 'resource-activity 2' }
/** Rebuilds that are killed, and one that isn't. */
const ROUNDS = 3

test('a rebuild under load, killed again and again, and a new release beside the old one', async (t) => {
  const cluster = await startCluster(t, { services: 2 })
  const { services, random, record, sendHttp, command, query, assertKept, addServices } = cluster
  const producer = sendHttp({ senders: 4, everyMs: 100, persistedEvery: 0 })
  const reader = await readAllTheTime(cluster)
  await waitUntil(() => record.acknowledged.size > 500, { timeoutMs: 30_000 })

  let exchanged = 0
  for (let round = 1; round <= ROUNDS; round++) {
    const rebuild = command(['projections', 'rebuild', NAME, '--yes', '--json'])
    if (round < ROUNDS) {
      await sleep(700 + random.below(1_200))
      rebuild.kill9()
      const recorder = random.pick(services)
      await recorder.kill9()
      await recorder.start()
    }
    const { exit, stderr } = await rebuild.ended
    if (round === ROUNDS) assert.equal(exit, 0, stderr)
    if (exit === 0) exchanged++
  }
  t.diagnostic(`${exchanged} of ${ROUNDS} rebuilds came to their end`)
  await query(`select 1 from ${TABLE}__old limit 1`)

  // The next release beside this one; each leaves the other's table alone.
  const next = await addServices(NEXT)
  await waitUntil(async () => (await version(cluster)) === 2, { timeoutMs: 60_000, everyMs: 200 })
  const before = record.acknowledged.size
  await waitUntil(() => record.acknowledged.size > before + 100, { timeoutMs: 20_000 })
  for (const service of services) if (service !== next) await service.kill9()
  await waitUntil(async () => (await query('select from projection_behind')).length === 0, { timeoutMs: 60_000 })
  await producer.stop()
  await assertKept({ logOnly: true })
  await waitUntil(() => isRecorded(cluster), { timeoutMs: 20_000 })

  assert.ok((await reader.stop()) > 100, 'the reader has looked often')
  const counted = await query<{ events: number; next: boolean }>(
    `select sum(event_count)::int4 as events, bool_and((counts->>'#2') is not null) as next from ${TABLE}`,
  )
  const logged = await query<{ events: number }>('select count(*)::int4 as events from event')
  assert.deepEqual(counted, [{ events: logged[0]?.events, next: true }], 'each event counts once, by the new code')
  const names = (await loadProjections()).map(({ name }) => name)
  const { exit, stdout, stderr } = await command(['projections', 'verify', ...names, '--json'], NEXT).ended
  assert.equal(exit, 0, stdout + stderr)
})

async function version({ query }: Cluster): Promise<number | undefined> {
  return (await query<{ version: number }>('select version from projection where name = $1', [NAME]))[0]?.version
}

async function isRecorded({ query }: Cluster): Promise<boolean> {
  const late = await query(
    `select from checkpoint r join checkpoint p using (partition) where r."group" = 'recorder' and p."group" = 'persister'
       and (r.entry_ms, r.entry_seq) <> (p.entry_ms, p.entry_seq)`,
  )
  return late.length === 0
}

/** Reads the table without a pause. Fails with `stop` when it ever had fewer rows than before, or none any more. */
async function readAllTheTime({ postgres }: Cluster): Promise<{ stop(): Promise<number> }> {
  const client = new pg.Client({ connectionString: postgres.url })
  await client.connect()
  let [stopped, looks, most] = [false, 0, 0]
  const reading = (async () => {
    while (!stopped) {
      const { rows } = await client.query<{ rows: number }>(`select count(*)::int4 as rows from ${TABLE}`)
      const found = rows[0]?.rows ?? 0
      assert.ok(found >= most, `${found} rows, and before there were ${most}`)
      most = found
      looks++
      await sleep(5)
    }
  })()
  reading.catch(() => {})
  return {
    async stop() {
      stopped = true
      await reading.finally(() => client.end())
      return looks
    },
  }
}
