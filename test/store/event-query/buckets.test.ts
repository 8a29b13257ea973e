import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bucketsOf } from '#src/store/event-query/buckets.ts'

const NOW = Date.parse('2026-11-24T10:30:00Z')
const DAY = { unit: 'day', count: 1 } as const

test('buckets begin at the one that holds the start and end with the one that holds the end', () => {
  assert.deepEqual(bucketsOf('2026-11-20T23:59:59.999999Z', '2026-11-22T00:00:00.000001Z', DAY, NOW), [
    { from: '2026-11-20T00:00:00.000000Z', to: '2026-11-20T23:59:59.999999Z' },
    { from: '2026-11-21T00:00:00.000000Z', to: '2026-11-21T23:59:59.999999Z' },
    { from: '2026-11-22T00:00:00.000000Z', to: '2026-11-22T23:59:59.999999Z' },
  ])
})

test('buckets hang on a Monday, before and after it, also for parts of units', () => {
  const starts = (since: string, until: string, unit: 'week' | 'hour', count: number) =>
    bucketsOf(since, until, { unit, count }, NOW).map(({ from }) => from)
  assert.deepEqual(starts('2024-03-30T00:00:00.000000Z', '2024-04-02T00:00:00.000000Z', 'week', 1), [
    '2024-03-25T00:00:00.000000Z',
    '2024-04-01T00:00:00.000000Z',
  ])
  assert.deepEqual(starts('2024-04-01T00:00:00.000000Z', '2024-04-01T00:00:40.000000Z', 'hour', 0.005), [
    '2024-04-01T00:00:00.000000Z',
    '2024-04-01T00:00:18.000000Z',
    '2024-04-01T00:00:36.000000Z',
  ])
})

test('what is to come has no buckets past the present unit', () => {
  const week = bucketsOf('2026-11-23T00:00:00.000000Z', '2027-01-01T00:00:00.000000Z', DAY, NOW)
  assert.deepEqual(
    week.map(({ from }) => from.slice(0, 10)),
    ['2026-11-23', '2026-11-24'],
  )
})

test('a thousand buckets are allowed and one more is refused in words', () => {
  const since = '2024-04-01T00:00:00.000000Z'
  assert.equal(bucketsOf(since, '2024-05-12T16:00:00.000000Z', { unit: 'hour', count: 1 }, NOW).length, 1_000)
  assert.throws(() => bucketsOf(since, '2024-05-12T16:00:00.000001Z', { unit: 'hour', count: 1 }, NOW), {
    code: 'TOO_MANY_BUCKETS',
    message: /would create 1001 buckets/,
  })
})
