import assert from 'node:assert/strict'
import { test } from 'node:test'
import rrule from 'rrule'
import { readRecurrence } from '#src/scheduler/recurrence-text.ts'
import { compileSchedule, nextInstants } from '#src/scheduler/schedule.ts'
import { zoneNamed } from '#src/scheduler/zone.ts'

const { rrulestr } = rrule
/** The same random numbers for the same seed. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const seed = Number(process.env['MILLRACE_TEST_SEED'] ?? 20261124)
const RULES = 400

test(`${RULES} random rules fire when rrule, or trying every step, says (seed ${seed})`, () => {
  const random = randomFrom(seed)
  let fired = 0
  for (let index = 0; index < RULES; index++) {
    const text = randomRule(random)
    const start = Date.UTC(2020, random(12), 1 + random(28), random(24), random(60), 0)
    const dtstart = `${new Date(start).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}`
    const lines = `DTSTART:${dtstart}Z\nRRULE:${text};UNTIL=20320101T000000Z`
    let schedule: ReturnType<typeof compileSchedule>
    try {
      schedule = compileSchedule({ rrule: lines })
    } catch (error) {
      if (!/never fires/.test((error as Error).message)) throw error
      continue // rrule would look for it until the year 9999, or for ever
    }
    fired++
    const found = nextInstants(schedule, start - 1, 120)
    const expected: number[] = /HOURLY|MINUTELY/.test(text) ? bySteps(text, start, 120) : []
    if (expected.length === 0) rrulestr(lines).all((date) => expected.push(date.getTime()) < 120)
    const middle = expected[Math.floor(expected.length / 2)] ?? start
    assert.equal(schedule.next(middle - 1), middle, `${text} from ${dtstart}, asked about the middle`)
    assert.deepEqual(found.map(iso), expected.map(iso), `${text} from ${dtstart}`)
  }
  assert.ok(fired > RULES / 2)
})

/**
 * Every step of hours or minutes, each part asked of each. rrule can't be the judge of those: it loses count of an INTERVAL
 * where BYHOUR leaves hours out (FREQ=MINUTELY;INTERVAL=35;BYHOUR=0,14,17 comes 25 minutes after a step, and then 10).
 */
function bySteps(text: string, start: number, most: number): number[] {
  const parts = new Map(text.split(';').map((part) => part.split('=') as [string, string]))
  const found: number[] = []
  const hourly = parts.get('FREQ') === 'HOURLY'
  const lets = (name: string, ...values: (number | string)[]) =>
    parts
      .get(name)
      ?.split(',')
      .some((item) => values.map(String).includes(item)) ?? true
  const everyMs = Number(parts.get('INTERVAL') ?? 1) * (hourly ? 3_600_000 : 60_000)
  const base = hourly ? start - (start % 3_600_000) : start
  for (let step = base; step <= Date.UTC(2032, 0, 1) && found.length < most; step += everyMs) {
    const date = new Date(step)
    const daysInMonth = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
    if (!lets('BYMONTH', date.getUTCMonth() + 1)) continue
    if (!lets('BYMONTHDAY', date.getUTCDate(), date.getUTCDate() - daysInMonth - 1)) continue
    if (!lets('BYDAY', ['SU', 'MO', 'TU', 'WE', 'TH', 'FR', 'SA'][date.getUTCDay()] as string)) continue
    if (!lets('BYHOUR', date.getUTCHours())) continue
    if (!hourly && !lets('BYMINUTE', date.getUTCMinutes())) continue
    const minutes = parts.get('BYMINUTE')?.split(',').map(Number) ?? [new Date(start).getUTCMinutes()]
    const times = hourly ? minutes.map((minute) => step + minute * 60_000) : [step]
    found.push(...times.filter((at) => at >= start && at <= Date.UTC(2032, 0, 1)))
  }
  return found.slice(0, most)
}

function randomRule(random: (below: number) => number): string {
  const pick = (most: number, least = 1) =>
    [...new Set(Array.from({ length: 1 + random(3) }, () => least + random(most - least + 1)))].sort((a, b) => a - b)
  const frequency = ['YEARLY', 'MONTHLY', 'WEEKLY', 'DAILY', 'HOURLY', 'MINUTELY'][random(6)] as string
  const long = frequency === 'YEARLY' || frequency === 'MONTHLY'
  const parts = [`FREQ=${frequency}`]
  const maybe = (chance: number, part: () => string) => {
    if (random(100) < chance) parts.push(part())
  }
  maybe(40, () => `INTERVAL=${1 + random(frequency === 'MINUTELY' ? 50 : 4)}`)
  maybe(20, () => `BYMONTH=${pick(12)}`)
  maybe(25, () => `BYMONTHDAY=${random(2) === 0 ? pick(31) : `-${1 + random(31)}`}`)
  if (frequency === 'YEARLY') maybe(15, () => `BYYEARDAY=${random(2) === 0 ? pick(366) : `-${1 + random(366)}`}`)
  maybe(30, () => {
    const days = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'].filter(() => random(3) === 0)
    const ordinal = long && random(2) === 0 ? ['1', '2', '-1', '-2', '4'][random(5)] : ''
    return `BYDAY=${(days.length === 0 ? ['MO'] : days).map((day) => `${ordinal}${day}`)}`
  })
  maybe(30, () => `BYHOUR=${pick(23, 0)}`)
  maybe(30, () => `BYMINUTE=${pick(59, 0)}`)
  maybe(20, () => `WKST=${['MO', 'SU', 'WE'][random(3)]}`)
  if (long) maybe(20, () => `BYSETPOS=${random(2) === 0 ? '1' : '-1'}`)
  return parts.join(';')
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}

function fires(rule: string, afterMs: number, count: number, more: object = {}): string[] {
  return nextInstants(compileSchedule({ rrule: rule, ...more }), afterMs, count).map(iso)
}

test('weeks are numbered as ISO 8601 does, over the turn of the year', () => {
  assert.deepEqual(fires('FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO,TH', Date.UTC(2024, 11, 1), 4), [
    '2024-12-30T00:00:00.000Z',
    '2025-01-02T00:00:00.000Z',
    '2025-12-29T00:00:00.000Z',
    '2026-01-01T00:00:00.000Z',
  ])
  assert.deepEqual(fires('FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO', Date.UTC(2026, 0, 1), 2), [
    '2026-12-28T00:00:00.000Z',
    '2032-12-27T00:00:00.000Z',
  ])
})

test('a rule that began before 1970 is computed as any', () => {
  const lines = 'DTSTART:19600101T003000\nRRULE:FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1,40'
  assert.deepEqual(fires(lines, Date.UTC(1960, 0, 1), 2), ['1960-01-26T00:30:00.000Z', '1960-02-29T00:30:00.000Z'])
  const steps = 'DTSTART:19600101T003017\nRRULE:FREQ=MINUTELY;INTERVAL=7;BYHOUR=23'
  assert.deepEqual(fires(steps, Date.UTC(1960, 0, 1), 1), ['1960-01-01T23:01:17.000Z'])
})

test('COUNT is counted from the start, whatever the time asked about', () => {
  assert.deepEqual(fires('DTSTART:20260101T000000\nRRULE:FREQ=DAILY;COUNT=3', Date.UTC(2026, 0, 2), 9), [
    '2026-01-03T00:00:00.000Z',
  ])
})

test('dates are added and exceptions left out, in local time or in UTC', () => {
  const lines =
    'DTSTART:20260701T090000\nRRULE:FREQ=DAILY\nRDATE:20260702T150000\nEXDATE:20260702T090000,20260703T070000Z'
  assert.deepEqual(fires(lines, Date.UTC(2026, 5, 30), 3, { timeZone: 'Europe/Berlin' }), [
    '2026-07-01T07:00:00.000Z',
    '2026-07-02T13:00:00.000Z',
    '2026-07-04T07:00:00.000Z',
  ])
})

test('a rule that began long ago, or that never fires, is answered at once', { timeout: 5_000 }, () => {
  assert.deepEqual(fires('DTSTART:19000101T000000\nRRULE:FREQ=SECONDLY', Date.UTC(2299, 0, 1), 1), [
    '2299-01-01T00:00:01.000Z',
  ])
  for (const rule of [
    'FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30',
    'FREQ=MINUTELY;BYHOUR=3;BYMONTH=2;BYMONTHDAY=30',
    'FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30;COUNT=99999',
    'FREQ=MINUTELY;INTERVAL=1440;BYHOUR=5',
    'FREQ=YEARLY;UNTIL=20191231T000000Z',
  ])
    assert.throws(() => compileSchedule({ rrule: rule }), /^ScheduleInvalid: This schedule never fires/, rule)
})

test('a recurrence that cannot be read is refused in one sentence', () => {
  for (const [rule, reason] of [
    ['FREQ=FORTNIGHTLY', /FREQ=FORTNIGHTLY is not a part of a rule/],
    ['INTERVAL=2', /a rule needs FREQ/],
    ['FREQ=DAILY;COUNT=2;UNTIL=20300101', /COUNT and UNTIL exclude each other/],
    ['FREQ=DAILY;BYHOUR=24', /BYHOUR=24 is not a part/],
    ['FREQ=DAILY;BYDAY=2MO', /BYDAY with a number needs FREQ=MONTHLY or YEARLY/],
    ['FREQ=HOURLY;BYSETPOS=1', /BYSETPOS needs a FREQ of DAILY or longer/],
    [`FREQ=YEARLY;BYDAY=MO;BYMINUTE=0,1,2,3,4,5;BYHOUR=${[...Array(24).keys()]};BYSETPOS=1`, /at most 100 times a day/],
    ['FREQ=DAILY;FREQ=DAILY', /FREQ is given twice/],
    ['DTSTART:20260230T000000\nRRULE:FREQ=DAILY', /is not a time of the calendar/],
    ['DTSTART:99990101T000000\nRRULE:FREQ=DAILY', /is not in the years 1900 to 2299/],
    [
      'DTSTART;TZID=Asia/Tokyo:20260101T000000\nRRULE:FREQ=DAILY',
      /TZID Asia\/Tokyo is not the schedule's time zone UTC/,
    ],
    ['EXRULE:FREQ=DAILY', /EXRULE is not among/],
    ['EXDATE:20260101', /neither RRULE nor RDATE/],
    ['FREQ=DAILY;INTERVAL=0', /INTERVAL is at least 1/],
  ] as const)
    assert.throws(() => compileSchedule({ rrule: rule }), { code: 'SCHEDULE_INVALID', message: reason }, rule)
})

test('a rule begins in 2020 when nothing else is said', () => {
  assert.equal(readRecurrence('FREQ=DAILY', zoneNamed('UTC')).startWall, Date.UTC(2020, 0, 1))
})
