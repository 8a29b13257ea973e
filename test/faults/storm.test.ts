/**
 * Everything at once, in an order that the seed chooses: processes die, freeze, come and go, connections are cut, Redis and
 * Postgres are restarted and flushed. `MILLRACE_TEST_STORM_MINUTES` makes it longer, `MILLRACE_TEST_SEED` the same again.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Redis } from 'ioredis'
import { DURABLE_GROUPS } from '#src/bus/index.ts'
import { createKeys } from '#src/bus/keys.ts'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'
import { runStorm } from './harness/storm.ts'
import { describeStrike, planStorm } from './harness/storm-plan.ts'

const [APIS, SERVICES, PARTITIONS] = [2, 2, 8]
const keys = createKeys('millrace')
const LASTS_MS = Number(process.env['MILLRACE_TEST_STORM_MINUTES'] ?? 1) * 60_000
/** Of one process, for each strike there was: each connection that is lost is a line, and each batch that failed. */
const LINES = 15

test('in a storm of faults nothing persisted is lost, nothing is doubled or reordered, and the rest is in the ledger', async (t) => {
  const cluster = await startCluster(t, { apis: APIS, services: SERVICES, proxied: true })
  const guest = await cluster.addServices()
  await guest.stop()
  const plan = planStorm({ seed: cluster.random.seed, apis: APIS, services: SERVICES, lastsMs: LASTS_MS })
  for (const strike of plan) t.diagnostic(`PLAN ${describeStrike(strike)}`)
  const { record, sendHttp, sendSocket, assertKept } = cluster
  const producers = [sendHttp({ senders: 6, persistedEvery: 2 }), sendSocket()]
  const progress = async () => {
    const before = record.acknowledged.size
    await waitUntil(() => record.acknowledged.size > before + 300, { timeoutMs: 60_000, what: 'ingest to go on' })
  }
  await progress()
  const { log, strikes, takeOvers } = await runStorm(cluster, plan)
  try {
    await progress()
    await Promise.all(producers.map((producer) => producer.stop()))
    await assertKept({ mayLose: true, withinMs: 60_000 })
    await assertIdle(cluster.redisClient)
    for (const { name, lines } of [...cluster.apis, ...cluster.services].map((each) => ({
      name: each.name,
      lines: each.lines('warn'),
    })))
      assert.ok(
        lines.length <= LINES * plan.length,
        `${name} wrote ${lines.length} warnings: ${lines.slice(0, 5).join('\n')}`,
      )
  } catch (error) {
    for (const line of log) process.stdout.write(`${line}\n`)
    throw error
  } finally {
    t.diagnostic(`STORM ${JSON.stringify({ seed: cluster.random.seed, strikes: [...strikes], takeOvers })}`)
  }
})

/** Every group has applied and acknowledged everything: none of them is stuck. */
async function assertIdle(redis: Redis): Promise<void> {
  for (const [partition, group] of Array.from({ length: PARTITIONS }, (_, i) => i).flatMap((i) =>
    DURABLE_GROUPS.map((group) => [i, group] as const),
  )) {
    const waits = async () => {
      const [pending] = (await redis.xpending(keys.stream(partition), group)) as [number]
      const [count, done] = await redis.hmget(keys.state(partition), 'count', `done:${group}`)
      return { pending, behind: Number(count ?? 0) - Number(done ?? 0) }
    }
    await waitUntil(async () => Object.values(await waits()).every((each) => each === 0), { timeoutMs: 30_000 }).catch(
      async () => {
        assert.fail(`${group} is stuck at partition ${partition}: ${JSON.stringify(await waits())}`)
      },
    )
  }
}
