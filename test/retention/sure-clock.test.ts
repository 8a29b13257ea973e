import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planRetention, runRetention } from '#src/retention/run.ts'
import { dayOf, makeDayPartitions } from '#src/store/day-partitions.ts'
import { operatorWorld } from '#test/api/operator-world.ts'

const DAY_MS = 86_400_000

test('a clock that is ahead removes nothing, one that is behind keeps for longer', async (t) => {
  const { keeping, lines, store } = await operatorWorld(t, { MILLRACE_EVENTS_RETENTION: '3d' })
  const today = dayOf(Date.now())
  await makeDayPartitions(store.hot, [today - 2, today - 5])
  const never = new AbortController().signal
  const by = (days: number) => ({ ...keeping, nowMs: () => Date.now() + days * DAY_MS })
  assert.deepEqual((await planRetention(by(-3))).days, [])
  assert.equal((await runRetention(by(-3), never)).days, 0)
  assert.deepEqual(
    (await planRetention(by(30))).days.map(({ day }) => day),
    [today - 5],
  )
  assert.equal((await runRetention(by(30), never)).days, 1)
  const said = lines.filter(({ aheadMs }) => Math.round(Number(aheadMs) / DAY_MS) === 30)
  assert.equal(said.length, 2)
})
