/** An owner that stands still with what it has read, and goes on when another one has the partition, changes nothing by it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'
import { OWNER_FREEZES } from './harness/failpoints.ts'
import { leaseHolders } from './harness/lease-holders.ts'
import type { ServerProcess } from './harness/process.ts'

const STREAMS = Array.from({ length: 8 }, (_, partition) => `{millrace:${partition}}:events`)

test('a checkpoint or a loss that was read before a freeze is worth nothing after it', async (t) => {
  const { services, record, redisClient, sendHttp, query, assertKept } = await startCluster(t, {
    services: 2,
  })
  const [owner, frozen] = services as [ServerProcess, ServerProcess]
  const more = async () => {
    const before = record.acknowledged.size
    const producer = sendHttp({ persistedEvery: 0 })
    await waitUntil(() => record.acknowledged.size > before + 200, { timeoutMs: 20_000, what: 'ingest to go on' })
    await producer.stop()
  }
  const trim = async () => {
    for (const stream of STREAMS) await redisClient.xtrim(stream, 'MAXLEN', 0)
  }
  /** Starts the process that will stand still; returns what wakes it. */
  const standStill = async (name = '') => {
    const starting = frozen.start({ MILLRACE_TEST_FAILPOINT: name })
    await waitUntil(() => frozen.isStopped, { timeoutMs: 30_000, what: `it to stand still ${name}` })
    return async () => {
      frozen.resume()
      await starting
    }
  }
  const ownsAll = async () => (await leaseHolders(redisClient)).every((pid) => pid === owner.pid)
  const applied = async () => {
    const groups = await Promise.all(
      STREAMS.flatMap((_, partition) =>
        ['persister', 'recorder'].map((group) =>
          redisClient.hmget(`{millrace:${partition}}:state`, 'count', `done:${group}`),
        ),
      ),
    )
    return groups.every(([count, done]) => count === done)
  }
  const losses = () => query<{ events: number; group: string }>('select "group", events::int4 as events from loss')

  await frozen.stop()
  await more()
  const [atCheckpoint, atLoss] = OWNER_FREEZES
  const wake = await standStill(atCheckpoint?.name)
  await waitUntil(ownsAll, { what: 'the other one to have all partitions again' })
  await more()
  await waitUntil(applied, { timeoutMs: 20_000, what: 'everything to be applied' })
  await trim() // of what is applied: whoever believes an old checkpoint finds that entries are missing
  await wake()
  await more()
  await waitUntil(applied, { timeoutMs: 20_000, what: 'everything to be applied by both' })
  assert.deepEqual(await losses(), [], 'nothing was lost')

  await Promise.all([frozen.stop(), owner.stop()])
  await more()
  await trim() // of what nobody has read
  const wakeAgain = await standStill(atLoss?.name)
  await owner.start()
  await waitUntil(ownsAll, { what: 'the other one to have all partitions' })
  await more()
  await waitUntil(applied, { timeoutMs: 20_000, what: 'everything to be applied' })
  const told = await losses()
  await wakeAgain()
  await more()
  await waitUntil(applied, { timeoutMs: 20_000, what: 'everything to be applied by both' })
  assert.deepEqual(await losses(), told, 'each loss is told once')
  const { inLedger } = await assertKept({ mayLose: true, logOnly: true }) // tables wait for a rebuild
  const sum = (group: string) =>
    told.filter((loss) => loss.group === group).reduce((all, { events }) => all + events, 0)
  assert.deepEqual([sum('persister'), sum('recorder')], [inLedger.length, inLedger.length])
})
