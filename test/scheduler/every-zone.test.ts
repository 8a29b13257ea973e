import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileSchedule } from '#src/scheduler/schedule.ts'
import { type Answers, bruteForce, zoneTable } from './brute-force.ts'

/** Every kind of change: whole and half hours, at midnight, twice a month (Casablanca), a day left out (Apia), none, abolished. */
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'Europe/London',
  'Europe/Dublin',
  'Europe/Istanbul',
  'Europe/Moscow',
  'America/New_York',
  'America/Sao_Paulo',
  'America/Santiago',
  'America/Havana',
  'America/St_Johns',
  'America/Caracas',
  'Africa/Cairo',
  'Africa/Casablanca',
  'Asia/Tehran',
  'Asia/Kathmandu',
  'Asia/Gaza',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'Pacific/Chatham',
]
const FROM = Date.UTC(2004, 0, 1)
const TO = Date.UTC(2034, 0, 1)
const DAY_MS = 86_400_000

/** Rare enough to be compared over the thirty years, each in several zones. */
const OVER_THE_YEARS = [
  '30 2 * * *',
  '0 0 * * *',
  '30 1 * * 7',
  '15 0,2,3 1-7 * 0',
  '59 23 28-31 * *',
  '0 1 29 2 *',
  '45 */5 13 * 5',
]
/** Frequent ones, compared over the days around each change of clocks. */
const AROUND_CHANGES = ['*/15 * * * *', '*/7 0-3 * * *', '10,40 */2 * * *', '5 * 1,31 3,4,9-11 1-5', '* 2 * * *']
const ANSWERS: readonly Answers[] = [
  { gap: 'shift', fold: 'first' },
  { gap: 'skip', fold: 'both' },
  { gap: 'shift', fold: 'last' },
  { gap: 'shift', fold: 'both' },
  { gap: 'skip', fold: 'first' },
  { gap: 'skip', fold: 'last' },
]
/** MILLRACE_TEST_EVERY_ZONE=1 compares every expression with every answer in every zone: minutes instead of seconds. */
const all = process.env['MILLRACE_TEST_EVERY_ZONE'] === '1'

for (const [index, timeZone] of ZONES.entries())
  test(`what fires in ${timeZone} over thirty years is what trying every minute finds`, () => {
    const table = zoneTable(timeZone, FROM - 4 * DAY_MS, TO + 4 * DAY_MS)
    const compare = (cron: string, answers: Answers, from: number, to: number) => {
      const schedule = compileSchedule({ cron, timeZone, dst: answers })
      const found = [...schedule.between(from - 1, to - 1)]
      const expected = bruteForce(cron, table, answers, from, to)
      // Not deepEqual: it takes a minute to print where eleven thousand numbers differ.
      const differ = expected.findIndex((at, place) => at !== found[place])
      const place = differ === -1 && found.length !== expected.length ? expected.length : differ
      if (place !== -1)
        assert.fail(`${cron} ${JSON.stringify(answers)}: ${iso(found[place])} is not ${iso(expected[place])}`)
    }
    const chosen = <Item>(items: readonly Item[], count: number) =>
      items.filter((_, place) => all || (place + index) % items.length < count)
    for (const answers of chosen(ANSWERS, 2))
      for (const cron of chosen(OVER_THE_YEARS, 3)) compare(cron, answers, FROM, TO)
    for (const { at } of table.changes)
      for (const answers of chosen(ANSWERS, 2))
        for (const cron of chosen(AROUND_CHANGES, 2)) compare(cron, answers, at - DAY_MS, at + DAY_MS)
  })

function iso(at: number | undefined): string {
  return at === undefined ? 'nothing' : new Date(at).toISOString()
}
