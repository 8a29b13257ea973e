/**
 * Every due tick is decided exactly once, whatever dies: four processes of two builds, whose clocks are minutes apart, while
 * they are killed, frozen and cut off, Redis is flushed, goes back in time and answers with errors, the clocks of both servers are
 * set off, Postgres restarts, and a process dies at each named step. `MILLRACE_TEST_TICKS_MINUTES` makes it longer, `MILLRACE_TEST_SEED` the same again.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitUntil } from '#test/wait-until.ts'
import { chosenSeed } from './harness/random.ts'
import { watchEmitted } from './ticks/emitted.ts'
import { assertDecided } from './ticks/oracle.ts'
import { describe, planStrikes } from './ticks/plan.ts'
import { carryOut } from './ticks/strikes.ts'
import { GUESTS, startTickCluster } from './ticks/tick-cluster.ts'

const LASTS_MS = Number(process.env['MILLRACE_TEST_TICKS_MINUTES'] ?? 0) * 60_000
const CALM_MS = 4_000
const LEAST_TICKS = 2_000

test('every due tick is decided exactly once, whatever dies, and leaves a row that says how', async (t) => {
  const seed = chosenSeed()
  t.diagnostic(`MILLRACE_TEST_SEED=${seed}`)
  const cluster = await startTickCluster(t)
  await waitUntil(async () => (await cluster.query('select from tick limit 200')).length === 200, {
    timeoutMs: 30_000,
    what: 'the first ticks',
  })
  const emitted = await watchEmitted(cluster)
  const calmFromMs = Date.now()
  await sleep(CALM_MS)
  const calm = { fromMs: calmFromMs, untilMs: Date.now() }
  await emitted.end()

  const plan = planStrikes({ seed, replicas: cluster.replicas.length, guests: GUESTS.length, lastsMs: LASTS_MS })
  for (const strike of plan) t.diagnostic(`PLAN ${describe(strike)}`)
  const struck = await carryOut(cluster, plan)
  const findings = await assertDecided(cluster, calm, struck)
  t.diagnostic(`TICKS ${JSON.stringify({ seed, ...findings })}`)
  assert.ok(findings.due >= LEAST_TICKS, `only ${findings.due} ticks were due`)
  assert.ok(findings.done > findings.due / 2, `only ${findings.done} of ${findings.due} ticks were run`)
})
