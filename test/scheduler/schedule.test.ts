import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clockChanges, compileSchedule, nextInstants, showInstant, tickId } from '#src/scheduler/index.ts'

const iso = (ms: number) => new Date(ms).toISOString()

function fires(spec: object, after: string, count: number): string[] {
  return nextInstants(compileSchedule(spec), Date.parse(after), count).map(iso)
}

test('a local time in a gap runs as if clocks had not changed, or not at all', () => {
  const spec = { cron: '30 2 * * *', timeZone: 'Europe/Berlin' }
  const [before, gap, after] = ['2026-03-28T01:30:00.000Z', '2026-03-29T01:30:00.000Z', '2026-03-30T00:30:00.000Z']
  assert.deepEqual(fires(spec, '2026-03-28T00:00:00Z', 3), [before, gap, after])
  assert.deepEqual(fires({ ...spec, dst: { gap: 'skip' } }, '2026-03-28T00:00:00Z', 2), [before, after])
})

test('a local time in a fold runs the first time, the last, or both', () => {
  const spec = { cron: '30 1 * * *', timeZone: 'America/New_York' }
  const [first, last, next] = ['2026-11-01T05:30:00.000Z', '2026-11-01T06:30:00.000Z', '2026-11-02T06:30:00.000Z']
  const after = '2026-11-01T00:00:00Z'
  assert.deepEqual(fires(spec, after, 2), [first, next])
  assert.deepEqual(fires({ ...spec, dst: { fold: 'last' } }, after, 2), [last, next])
  assert.deepEqual(fires({ ...spec, dst: { fold: 'both' } }, after, 3), [first, last, next])
})

test('what runs every hour goes on through both changes', () => {
  const at = (after: string) => fires({ cron: '*/15 * * * *', timeZone: 'Europe/Berlin' }, after, 16).map(Date.parse)
  for (const instants of [at('2026-03-29T00:00:00Z'), at('2026-10-25T00:00:00Z')])
    for (const [index, instant] of instants.entries()) assert.equal(instant, (instants[0] ?? 0) + index * 900_000)
  const seconds = fires({ cron: '* * * * * *', timeZone: 'Europe/Berlin' }, '2026-10-25T00:59:58Z', 3)
  assert.deepEqual(seconds, ['2026-10-25T00:59:59.000Z', '2026-10-25T01:00:00.000Z', '2026-10-25T01:00:01.000Z'])
})

test('changes of half an hour, at midnight, and of a whole day are none special', () => {
  const lordHowe = { cron: '15 2 * * *', timeZone: 'Australia/Lord_Howe' }
  assert.deepEqual(fires(lordHowe, '2026-10-02T16:00:00Z', 2), ['2026-10-03T15:45:00.000Z', '2026-10-04T15:15:00.000Z'])
  const santiago = { cron: '0 0 * * *', timeZone: 'America/Santiago' }
  assert.deepEqual(fires(santiago, '2026-09-05T05:00:00Z', 2), ['2026-09-06T04:00:00.000Z', '2026-09-07T03:00:00.000Z'])
  const cairo = { cron: '0 0 * * 5', timeZone: 'Africa/Cairo' }
  assert.deepEqual(fires(cairo, '2026-04-23T00:00:00Z', 1), ['2026-04-23T22:00:00.000Z'])
  const apia = { cron: '0 9 * * *', timeZone: 'Pacific/Apia' }
  assert.deepEqual(fires(apia, '2011-12-29T00:00:00Z', 3), [
    '2011-12-29T19:00:00.000Z', // the 29th; the 30th is shifted onto the 31st and runs once
    '2011-12-30T19:00:00.000Z',
    '2011-12-31T19:00:00.000Z',
  ])
})

test('the calendar: leap days, ends of months, either day field, Sundays, steps, names, six fields', () => {
  const from = '2026-01-01T00:00:00Z'
  assert.deepEqual(fires({ cron: '0 0 29 2 *' }, '2096-03-01T00:00:00Z', 1), ['2104-02-29T00:00:00.000Z'])
  assert.deepEqual(
    fires({ cron: '0 0 31 * *' }, from, 3).map((at) => at.slice(5, 10)),
    ['01-31', '03-31', '05-31'],
  )
  assert.deepEqual(
    fires({ cron: '0 0 L * *' }, from, 2).map((at) => at.slice(5, 10)),
    ['01-31', '02-28'],
  )
  assert.deepEqual(
    fires({ cron: '0 0 13 * FRI' }, from, 3).map((at) => at.slice(5, 10)),
    ['01-02', '01-09', '01-13'],
  )
  assert.deepEqual(fires({ cron: '0 0 13 * FRI', dayOr: false }, from, 1), ['2026-02-13T00:00:00.000Z'])
  for (const sunday of ['0', '7', 'SUN'])
    assert.deepEqual(fires({ cron: `0 0 * * ${sunday}` }, from, 1), ['2026-01-04T00:00:00.000Z'])
  assert.deepEqual(
    fires({ cron: '*/25 * * * *' }, from, 3).map((at) => at.slice(11, 16)),
    ['00:25', '00:50', '01:00'],
  )
  assert.deepEqual(
    fires({ cron: '5/20 * * * *' }, from, 2).map((at) => at.slice(11, 16)),
    ['00:05', '00:25'],
  )
  assert.deepEqual(fires({ cron: '10 0 12 1 JAN-MAR *' }, from, 1), ['2026-01-01T12:00:10.000Z'])
  assert.deepEqual(fires({ cron: '@yearly' }, from, 1), ['2027-01-01T00:00:00.000Z'])
})

test('an interval is a grid through its anchor, before it too, and without a drift', () => {
  assert.deepEqual(fires({ everyMs: 90_000, anchor: '2030-01-01T00:00:30Z' }, '2026-01-01T00:00:00Z', 2), [
    '2026-01-01T00:00:30.000Z',
    '2026-01-01T00:02:00.000Z',
  ])
  const once = compileSchedule({ everyMs: 10 * 366 * 86_400_000 })
  assert.equal(once.next(0), 10 * 366 * 86_400_000)
  assert.equal(compileSchedule({ everyMs: 1 }).next(1.5), 2)
})

test('an interval of days keeps the time on the clock when it has a zone', () => {
  const daily = { everyMs: 86_400_000, anchor: '2026-03-01T08:00:00Z', timeZone: 'Europe/Berlin' }
  assert.deepEqual(fires(daily, '2026-03-28T00:00:00Z', 2), ['2026-03-28T08:00:00.000Z', '2026-03-29T07:00:00.000Z'])
})

test('between leaves its beginning out and takes its end in, so that two calls in a row give each instant once', () => {
  const schedule = compileSchedule({ everyMs: 1_000 })
  assert.deepEqual([...schedule.between(0, 2_000), ...schedule.between(2_000, 3_000)], [1_000, 2_000, 3_000])
})

test('startAt is the first instant that may fire, endAt the first that may not', () => {
  const spec = { cron: '0 * * * *', startAt: '2026-01-01T02:00:00Z', endAt: '2026-01-01T04:00:00Z' }
  assert.deepEqual(fires(spec, '2025-01-01T00:00:00Z', 9), ['2026-01-01T02:00:00.000Z', '2026-01-01T03:00:00.000Z'])
})

test('the hash says whether two specs say the same, in whatever order', () => {
  const { hash } = compileSchedule({ cron: '0 0 * * *', timeZone: 'Asia/Tokyo', dst: { gap: 'skip', fold: 'both' } })
  assert.match(hash, /^[0-9a-f]{16}$/)
  assert.equal(
    hash,
    compileSchedule({ dst: { fold: 'both', gap: 'skip' }, timeZone: 'Asia/Tokyo', cron: '0 0 * * *' }).hash,
  )
  assert.notEqual(hash, compileSchedule({ cron: '0 0 * * *', timeZone: 'Asia/Tokyo' }).hash)
  assert.equal(tickId('sweep', 300_000), 'sweep@1970-01-01T00:05:00.000Z')
})

test('each second of thirty years is not kept anywhere: the first and last are as near as any', {
  timeout: 5_000,
}, () => {
  const schedule = compileSchedule({ cron: '* * * * * *', timeZone: 'America/New_York' })
  assert.equal(schedule.next(Date.UTC(2056, 0, 1) - 1_000), Date.UTC(2056, 0, 1))
  let count = 0
  for (const at of schedule.between(0, 30 * 365 * 86_400_000)) {
    count++
    if (count === 10_000) assert.equal(at, 10_000_000)
    if (count === 10_000) break
  }
  assert.equal(count, 10_000)
})

test('what cannot be read, or never fires, is refused in one sentence', () => {
  for (const [spec, reason] of [
    [null, /one of cron, everyMs and rrule/],
    [{ cron: '* * * * *', everyMs: 5 }, /exactly one/],
    [{ cron: '* * * *' }, /needs five fields/],
    [{ cron: '0 25 * * *' }, /can't be read: .*hour/],
    [{ cron: '0 0 30 2 *' }, /never fires/],
    [{ cron: '@reboot' }, /needs five fields/],
    [{ cron: '* * * * *', timeZone: 'Mars/Base' }, /time zone 'Mars\/Base' is not known/],
    [{ cron: '* * * * *', timeZone: '+02:00' }, /time zone '\+02:00' is not known/],
    [{ cron: '* * * * *', dst: { gap: 'run' } }, /dst\.gap is not allowed/],
    [{ cron: '* * * * *', startAt: 'tomorrow' }, /startAt 'tomorrow' is not a time/],
    [{ everyMs: 0 }, /everyMs is not allowed/],
    [{ everyMs: 1e15 }, /everyMs is not allowed/],
    [{ cron: '0 0 * * *', endAt: '1800-01-01T00:00:00Z' }, /never fires/],
    [{ cron: 'x'.repeat(7_000) }, /cron is not allowed/],
  ] as const)
    assert.throws(() => compileSchedule(spec), { code: 'SCHEDULE_INVALID', message: reason }, JSON.stringify(spec))
})

test('notes say where clocks change and what that does', () => {
  const schedule = compileSchedule({ cron: '30 2 * * *', timeZone: 'Europe/Berlin' })
  assert.deepEqual(showInstant(schedule, Date.parse('2026-03-29T01:30:00Z')), {
    instant: '2026-03-29T01:30:00.000Z',
    local: '2026-03-29T03:30:00.000+02:00',
    note: 'right after a gap: 02:30 does not exist on this day',
  })
  assert.match(showInstant(schedule, Date.parse('2026-10-25T00:30:00Z')).note ?? '', /first of two times/)
  assert.equal(showInstant(schedule, Date.parse('2026-06-01T00:30:00Z')).note, null)
  assert.deepEqual(clockChanges(schedule, Date.UTC(2026, 0, 1), Date.UTC(2026, 11, 1)), [
    {
      instant: '2026-03-29T01:00:00.000Z',
      change: 'clocks go forward from 02:00 to 03:00',
      effect: 'local times left out run as if clocks had not changed',
    },
    {
      instant: '2026-10-25T01:00:00.000Z',
      change: 'clocks go back from 03:00 to 02:00',
      effect: 'local times that come twice run the first time',
    },
  ])
})
