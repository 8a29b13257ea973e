/**
 * The recorder dies in the middle of its work, and sleeps through its lease: each event is in its projections once. The
 * log is the witness, counted by plain SQL: none of the server's code.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { waitUntil } from '#test/wait-until.ts'
import { type Cluster, startCluster } from './harness/cluster.ts'

/** Resources of which the activity is not what the log has of them. */
const DIFFERENT = `
  select coalesce(l.resource_id, a.resource_id) as id, l.count as in_log, a.event_count as recorded
  from (select resource_id, count(*), min(occurred) as first, max(occurred) as last from event group by 1) l
  full join resource_activity a on a.resource_id = l.resource_id
  where (l.count, l.first, l.last) is distinct from (a.event_count, a.first_seen, a.last_seen)`

const LAG = `
  select p.partition from checkpoint p left join checkpoint r on r."group" = 'recorder' and r.partition = p.partition
  where p."group" = 'persister' and p.event_count <> coalesce(r.event_count, 0)`

test('events in the hands of a recorder that is killed, or that sleeps through its lease, are recorded once', async (t) => {
  const cluster = await startCluster(t)
  const { services, addServices, record, sendHttp, query, assertKept } = cluster
  const producer = sendHttp()
  const first = services[0] as (typeof services)[0]
  for (let round = 1; round <= 2; round++) {
    await arrive(cluster, 200)
    await holding(cluster, async () => {
      await arrive(cluster, 50)
      await first.kill9()
    })
    await first.start()
  }
  await arrive(cluster, 200)
  await holding(cluster, async () => {
    first.pause()
    const its = await writersWaiting(cluster) // they don't wait for ever, and another takes a while to start
    await addServices()
    const another = async () => (await writersWaiting(cluster)).some((pid) => !its.includes(pid))
    await waitUntil(another, { timeoutMs: 20_000, what: 'another to follow' })
  })
  first.resume()
  await arrive(cluster, 200)
  await producer.stop()
  await assertKept()
  await waitUntil(async () => (await query(LAG)).length === 0, { timeoutMs: 20_000, what: 'the recorder to catch up' })
  assert.ok(record.acknowledged.size > 500)
  assert.deepEqual((await query(DIFFERENT)).slice(0, 5), [], 'what is recorded differs from the log')
  assert.deepEqual(await query('select "group", reason from dead_letter'), [])
})

async function arrive({ record }: Cluster, count: number): Promise<void> {
  const before = record.acknowledged.size
  await waitUntil(() => record.acknowledged.size > before + count, { timeoutMs: 20_000 })
}

async function writersWaiting({ query }: Cluster): Promise<number[]> {
  const statement = `select pid from pg_locks where relation = 'resource_activity'::regclass and not granted`
  return (await query<{ pid: number }>(statement)).map(({ pid }) => pid)
}

/** Runs something while a recorder is in the middle of a transaction: it has loaded its rows, and can't write them. */
async function holding(cluster: Cluster, run: () => Promise<void>): Promise<void> {
  const holder = new pg.Client({ connectionString: cluster.postgres.url })
  await holder.connect()
  try {
    await holder.query('begin; lock table resource_activity in exclusive mode')
    await waitUntil(async () => (await writersWaiting(cluster)).length > 0, { what: 'a recorder to be writing' })
    await run()
  } finally {
    await holder.query('commit')
    await holder.end()
  }
}
