import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitUntil } from '#test/wait-until.ts'
import { grid, recordingJob, tickWorld } from './tick-world.ts'

test('of three processes one runs each tick, none is left out, and the row says what was done', async (t) => {
  const world = await tickWorld(t)
  const { job, effects } = await recordingJob(world, { name: 'sweep', schedule: { everyMs: 50 } })
  const replicas = await Promise.all([1, 2, 3].map(() => world.start([job])))
  await waitUntil(async () => (await effects()).length >= 40)
  const rows = await world.settled('sweep')
  await Promise.all(replicas.map((replica) => replica.stop()))
  assert.deepEqual(
    rows.map(({ at }) => at),
    grid(50, rows[0]?.at ?? 0, rows.at(-1)?.at ?? 0),
  )
  const done = rows.filter(({ state }) => state === 'done')
  const lastMs = rows.at(-1)?.at ?? 0
  assert.deepEqual(
    (await effects()).filter((at) => at <= lastMs),
    done.map(({ at }) => at),
  )
  assert.deepEqual(done[0]?.result, { effects: 1 })
  // No tick was emitted by two of them, though all of them try to.
  const emitted = await Promise.all(
    replicas.map(async ({ metrics }) => (await metrics.ticksEmitted.get()).values[0]?.value ?? 0),
  )
  const all = await world.rows('sweep')
  assert.ok(emitted.reduce((sum, count) => sum + count) <= all.length, `${emitted} emitted, ${all.length} due`)
  for (const { state, reason } of rows)
    assert.ok(state === 'done' || (state === 'skipped' && reason !== null), `${state}: ${reason}`)
})
