import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pythonDate } from '#src/orchestration/deployment/instants.ts'
import { checkSchedule, dueInstants, HORIZON } from '#src/orchestration/index.ts'

const NOW = '2026-11-24T00:00:00.000000Z'
const FROM_MS = Date.parse(NOW)
const HOUR_MS = 3_600_000

function due(schedule: Readonly<Record<string, unknown>>, horizon = HORIZON): string[] {
  return dueInstants(checkSchedule(schedule, NOW), FROM_MS, horizon).map((ms) => new Date(ms).toISOString())
}

test('at least three runs are scheduled, at least an hour ahead, at most a hundred', () => {
  assert.equal(due({ interval: 86_400 }).length, 3)
  assert.equal(due({ interval: 60 }).length, 61, 'the instant itself, and one a minute up to an hour')
  assert.equal(due({ interval: 1 }).length, HORIZON.maxRuns)
})

test('nothing is scheduled more than a hundred days ahead', () => {
  assert.deepEqual(due({ rrule: 'FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=1' }), [])
  assert.deepEqual(due({ cron: '0 0 1 1 *' }), ['2027-01-01T00:00:00.000Z'])
})

test('a cron expression and a rule follow the clock of their zone', () => {
  const paris = { timezone: 'Europe/Paris' }
  assert.equal(due({ cron: '0 9 * * *', ...paris })[0], '2026-11-24T08:00:00.000Z')
  assert.equal(due({ rrule: 'FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0', ...paris })[0], '2026-11-24T08:00:00.000Z')
})

test('an interval counts from its anchor, and from now without one', () => {
  assert.equal(due({ interval: 3600, anchor_date: '2026-11-20T10:30:00+00:00' })[0], '2026-11-24T00:30:00.000Z')
  assert.deepEqual(checkSchedule({ interval: 3600 }, NOW), { interval: 3600, anchor_date: NOW, timezone: 'UTC' })
})

test('bounds are those that are asked for', () => {
  const horizon = { minRuns: 0, minMs: 0, maxRuns: 5, maxMs: 10 * HOUR_MS }
  assert.equal(due({ interval: 3600 }, horizon).length, 1)
  assert.equal(due({ interval: 3600 }, { ...horizon, minRuns: 9 }).length, 5)
})

test('dates in keys are written as Python writes them', () => {
  assert.equal(pythonDate(FROM_MS), '2026-11-24 00:00:00+00:00')
  assert.equal(pythonDate(FROM_MS + 250), '2026-11-24 00:00:00.250000+00:00')
})
