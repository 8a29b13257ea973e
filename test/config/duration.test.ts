import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatDuration, parseDuration } from '#src/config/duration.ts'

const DAY = 86_400_000

test('durations are read in every form operators use', () => {
  const forms: [string, number][] = [
    ['250ms', 250],
    ['15s', 15_000],
    ['90m', 5_400_000],
    ['36h', 129_600_000],
    ['7d', 7 * DAY],
    ['2w', 14 * DAY],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['10', 10_000],
    ['0.5', 500],
    ['0', 0],
    ['P7D', 7 * DAY],
    ['PT36H', 1.5 * DAY],
    ['P1DT12H30M5.5S', DAY + 45_005_500],
    ['P2W', 14 * DAY],
    ['7 days', 7 * DAY],
    ['1 day, 01:30:00', DAY + 5_400_000],
    ['7 days, 00:00:00', 7 * DAY],
    ['01:30:00', 5_400_000],
    ['00:00:00.250', 250],
    [' 7d ', 7 * DAY],
  ]
  for (const [text, ms] of forms) assert.equal(parseDuration(text), ms, text)
})

test('what is no duration is none', () => {
  for (const text of ['', ' ', 'soon', '-5s', '5 apples', 'P', 'PT', 'P1M', 'P1Y', '7d soon', '1e3', 'Infinity', '1:2'])
    assert.equal(parseDuration(text), null, text)
})

test('durations are shown in the largest unit that divides them', () => {
  assert.deepEqual([0, 5, 1_500, 15_000, 5_400_000, 7 * DAY].map(formatDuration), [
    '0s',
    '5ms',
    '1500ms',
    '15s',
    '90m',
    '7d',
  ])
})
