import assert from 'node:assert/strict'
import { test } from 'node:test'
import { growthOf, sizes } from '#src/retention/overview.ts'
import { runRetention } from '#src/retention/run.ts'
import { dayOf, dayTable } from '#src/store/day-partitions.ts'
import { operatorWorld } from '#test/api/operator-world.ts'
import { DAY_MS, logWorld, NOW } from './log-world.ts'

const TODAY = dayOf(NOW)
const logDay = (day: number, events: number) => ({ day, table: dayTable(day), events, bytes: events * 100 })

test('the log grows as today so far, early in the day as yesterday, and comes to that times the days kept', () => {
  const days = [logDay(TODAY - 1, 240), logDay(TODAY, 300)]
  const noon = { eventsPerDay: 600, bytesPerDay: 60_000, bytesAtRetention: 60_000 * 8 } // one day is not over
  assert.deepEqual(growthOf(days, 7 * DAY_MS, NOW), noon)
  assert.deepEqual(growthOf(days, 6.5 * DAY_MS, NOW), noon)
  const early = TODAY * DAY_MS + 59 * 60_000
  assert.equal(growthOf(days, DAY_MS, early).eventsPerDay, 240)
  assert.equal(growthOf(days, DAY_MS, early + 60_000).eventsPerDay, 7_200)
  assert.deepEqual(growthOf([], DAY_MS, NOW), { eventsPerDay: 0, bytesPerDay: 0, bytesAtRetention: 0 })
})

test('the oldest event is found behind days that have none, and in the default partition', async (t) => {
  const { pool, put, makeDays } = await logWorld(t)
  const oldest = async () => (await sizes(pool, 7 * DAY_MS, NOW)).oldest
  assert.equal(await oldest(), null)
  await put('2027-01-01T00:00:00Z', 'far.ahead')
  assert.equal(await oldest(), '2027-01-01T00:00:00.000000Z')
  await makeDays(['2026-03-03', '2026-03-04'])
  await put('2026-03-04T12:00:00Z', 'order.placed')
  assert.equal(await oldest(), '2026-03-04T12:00:00.000000Z')
  await put('2026-03-02T12:00:00Z', 'order.placed')
  assert.equal(await oldest(), '2026-03-02T12:00:00.000000Z')
})

test('/metrics says what there is, also of a run that failed', async (t) => {
  const { app, keeping, store } = await operatorWorld(t)
  const scrape = async () => (await app.inject({ url: '/metrics' })).body
  assert.doesNotMatch(await scrape(), /\nmillrace_log_growth/)
  await store.hot.query('alter table loss rename to elsewhere')
  const { failed } = await runRetention(keeping, new AbortController().signal)
  assert.equal(failed, 1)
  const said = await scrape()
  assert.match(said, /\nmillrace_retention_failures_total 1\n/)
  assert.match(said, /\nmillrace_retention_waiting_days 0\n/)
  assert.match(said, /\nmillrace_table_bytes\{table="elsewhere"\} \d+\n/)
  assert.match(said, /\nmillrace_log_forecast_bytes 0\n/)
  await store.hot.query('alter table pruned_day rename to gone_as_well; alter table elsewhere rename to loss')
  const stopped = new AbortController()
  stopped.abort(new Error('asked to stop'))
  await assert.rejects(runRetention(keeping, stopped.signal))
  assert.match(await scrape(), /\nmillrace_table_bytes\{table="gone_as_well"\} \d+\n/)
})
