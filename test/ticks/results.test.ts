/** What runs give back, and its way into the ledger. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog } from '#src/log.ts'
import type { Job } from '#src/ticks/index.ts'
import { createVerdicts } from '#src/ticks/verdicts.ts'
import { waitUntil } from '#test/wait-until.ts'
import { tickWorld } from './tick-world.ts'

const job = (name: string, result: unknown): Job => ({
  ...{ name, schedule: { everyMs: 3_600_000 }, startsAtOnce: true },
  policy: { attempts: 2, retryMs: 10 },
  run: async () => result as Record<string, number>,
})

test('what is not numbers by name fails the tick that gave it, and no other', async (t) => {
  const world = await tickWorld(t)
  const bad = { big: { rows: 10n }, text: { rows: 'ten' }, none: null, nan: { rows: Number.NaN } }
  await world.start([...Object.entries(bad).map(([name, result]) => job(name, result)), job('fine', { rows: 10 })])
  const outcome = (name: string) =>
    waitUntil(async () => (await world.rows(name)).find(({ state }) => !['open', 'running'].includes(state)))
  for (const name of Object.keys(bad)) {
    const { state, reason, attempts } = await outcome(name)
    assert.deepEqual([state, attempts], ['failed', 2], name)
    assert.match(reason ?? '', /numbers by name/, name)
  }
  assert.deepEqual((await outcome('fine')).result, { rows: 10 })
})

test('a verdict that Postgres refuses is found among others, which are written', async (t) => {
  const { pool } = await tickWorld(t)
  const instants = [1, 2, 3, 4, 5].map((n) => n * 1_000)
  for (const ms of instants)
    await pool.query(
      `insert into tick (job, scheduled_for, version, state, fence, lease_until)
       values ('mixed', $1, 1, 'running', 1, clock_timestamp() + interval '1 hour')`,
      [new Date(ms).toISOString()],
    )
  const verdicts = createVerdicts(pool, createLog('silent'))
  const written = await Promise.all(
    instants.map((scheduledForMs) =>
      verdicts.write({
        ...{ job: 'mixed', scheduledForMs, origin: 'schedule', fence: 1, state: 'done', result: null },
        reason: scheduledForMs === 3_000 ? 'a NUL \u0000, which no text of Postgres has' : null,
      }),
    ),
  )
  assert.deepEqual(written, [true, true, true, true, true])
  const { rows } = await pool.query<{ state: string }>('select state from tick order by scheduled_for')
  assert.deepEqual(
    rows.map(({ state }) => state),
    ['done', 'done', 'failed', 'done', 'done'],
  )
})
