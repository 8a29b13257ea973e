import assert from 'node:assert/strict'
import { test } from 'node:test'
import { instantOfMs, parseInstant } from '#src/events/instant.ts'
import { randomFrom } from './samples.ts'

function iso(value: unknown): string | null {
  return parseInstant(value)?.iso ?? null
}

test('the three forms that clients send are one instant', () => {
  const instant = { iso: '2026-11-24T00:04:11.208894Z', ms: 1795478651208 }
  assert.deepEqual(parseInstant('2026-11-24T00:04:11.208894Z'), instant)
  assert.deepEqual(parseInstant('2026-11-24 00:04:11.208894+00:00'), instant)
  assert.deepEqual(parseInstant(1795478651.208894), instant)
})

test('a time without an offset is UTC, with one it is moved there', () => {
  assert.equal(iso('2026-11-24T00:04:11'), '2026-11-24T00:04:11.000000Z')
  assert.equal(iso('2026-11-24T00:04:11.5+05:30'), '2026-11-23T18:34:11.500000Z')
  assert.equal(iso('2026-11-24T00:04:11.5-0800'), '2026-11-24T08:04:11.500000Z')
  assert.equal(iso('2026-11-24T00:04:11.5+14'), '2026-11-23T10:04:11.500000Z')
  assert.equal(iso('2026-12-31T23:59:59.999999-00:01'), '2027-01-01T00:00:59.999999Z')
})

test('whatever form it came in, an instant is kept in the one form whose text order is time order', () => {
  const forms = [
    ['2026-11-24T00:04:11,208894Z', '2026-11-24T00:04:11.208894Z'],
    ['2026-11-24T00:04.208894123Z', '2026-11-24T00:04:00.208894Z'],
    ['2026-11-24T00:04:11.20889 Z', '2026-11-24T00:04:11.208890Z'],
    ['2026-11-24t00:04:11.208894z', '2026-11-24T00:04:11.208894Z'],
    ['2026-11-24 00:04:11.208894Z', '2026-11-24T00:04:11.208894Z'],
    ['2026-11-24T00:04Z', '2026-11-24T00:04:00.000000Z'],
    ['2026-11-24T00:04:11.2Z', '2026-11-24T00:04:11.200000Z'],
  ]
  for (const [text, canonical] of forms) assert.equal(iso(text), canonical, text)
})

test('digits beyond microseconds are cut, not rounded', () => {
  assert.equal(iso('2026-11-24T00:04:11.9999999Z'), '2026-11-24T00:04:11.999999Z')
  assert.equal(iso('2026-11-24T00:04:11.123456789012+00:00'), '2026-11-24T00:04:11.123456Z')
  assert.deepEqual(parseInstant('2026-11-24T00:04:11.0019999Z'), {
    iso: '2026-11-24T00:04:11.001999Z',
    ms: 1795478651001,
  })
})

test('numbers are seconds, or milliseconds when they are too large for that', () => {
  assert.equal(iso(0), '1970-01-01T00:00:00.000000Z')
  assert.equal(iso(-0.5), '1969-12-31T23:59:59.500000Z')
  assert.equal(iso(1795478651), '2026-11-24T00:04:11.000000Z')
  assert.equal(iso(1795478651187), '2026-11-24T00:04:11.187000Z')
  assert.equal(iso(2e10), '2603-10-11T11:33:20.000000Z')
  assert.equal(iso(1.9999996), '1970-01-01T00:00:01.999999Z')
  assert.equal(parseInstant(-0.0005)?.ms, -1)
})

test('the 29th of February is a date in leap years only', () => {
  assert.equal(iso('2024-02-29T12:00:00Z'), '2024-02-29T12:00:00.000000Z')
  assert.equal(iso('2000-02-29T12:00:00Z'), '2000-02-29T12:00:00.000000Z')
  assert.equal(iso('2026-02-29T12:00:00Z'), null)
  assert.equal(iso('1900-02-29T12:00:00Z'), null)
})

test('the years are 1 to 9999, after the offset too', () => {
  assert.equal(iso('0001-01-01T00:00:00Z'), '0001-01-01T00:00:00.000000Z')
  assert.equal(iso('9999-12-31T23:59:59.999999Z'), '9999-12-31T23:59:59.999999Z')
  assert.equal(iso('9999-12-31T23:59:59.999999+00:00'), '9999-12-31T23:59:59.999999Z')
  const outside = [
    '0000-12-31T23:59:59Z',
    '0001-01-01T00:00:00+00:01',
    '9999-12-31T23:59:59-00:01',
    '10000-01-01T00:00:00Z',
    '+010000-01-01T00:00:00Z',
    '-000001-01-01T00:00:00Z',
    -62135596801000,
    253402300800000,
    Number.POSITIVE_INFINITY, // what JSON.parse makes of 1e400
    Number.NaN,
  ]
  for (const value of outside) assert.equal(iso(value), null, String(value))
})

test('what is no time of the calendar is none', () => {
  const wrong = [
    '',
    'now',
    '2026-11-24',
    '24.11.2026 00:04',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-11-31T00:00:00Z',
    '2026-11-24T24:00:00Z',
    '2026-11-24T23:60:00Z',
    '2026-11-24T23:59:60Z',
    '2026-11-24T00:04:11+24:00',
    '2026-11-24T00:04:11+05:60',
    '2026-11-24T00:04:11.Z',
    '2026-11-24T00:04:11Z\n',
    ' 2026-11-24T00:04:11Z',
    '1795478651',
    null,
    undefined,
    true,
    {},
    [1795478651],
  ]
  for (const value of wrong) assert.equal(iso(value), null, String(value))
})

test('thousands of instants come back from each form to the microsecond', () => {
  const random = randomFrom(1)
  for (let i = 0; i < 5_000; i++) {
    const ms = Math.floor((random() * 2 - 0.5) * 4e12)
    const micros = String(Math.floor(random() * 1_000)).padStart(3, '0')
    const canonical = `${new Date(ms).toISOString().slice(0, -1)}${micros}Z`
    const offset = Math.floor(random() * 24 * 60) - 12 * 60
    const local = new Date(ms + offset * 60_000).toISOString().slice(0, -1)
    const zone = `${offset < 0 ? '-' : '+'}${pad(Math.floor(Math.abs(offset) / 60))}:${pad(Math.abs(offset) % 60)}`
    for (const text of [canonical, canonical.replace('T', ' '), `${local}${micros}${zone}`]) {
      assert.deepEqual(parseInstant(text), { iso: canonical, ms }, text)
    }
  }
})

test('an instant in our form is read as one with a digit more, of which that is cut', () => {
  const random = randomFrom(2)
  let read = 0
  for (let i = 0; i < 20_000; i++) {
    const [year, month, day] = [random() * 10_000, random() * 14, random() * 33].map(Math.floor) as [
      number,
      number,
      number,
    ]
    const date = `${String(year).padStart(4, '0')}-${pad(month)}-${pad(day)}`
    const clock = [26, 62, 62].map((most) => pad(Math.floor(random() * most))).join(':')
    const micros = String(Math.floor(random() * 1e6)).padStart(6, '0')
    const right = `${date}T${clock}.${micros}`
    const at = Math.floor(random() * 75)
    const other = ':-.,/ Tt09x'[Math.floor(random() * 11)]
    const form = at < right.length - 1 ? right.slice(0, at) + other + right.slice(at + 1) : right
    const general = parseInstant(`${form}0Z`)
    assert.deepEqual(parseInstant(`${form}Z`), general, form)
    if (general !== null) read++
  }
  assert.ok(read > 5_000, `${read} were instants`)
})

test('a clock reading becomes an instant', () => {
  assert.deepEqual(instantOfMs(1795478651208), { iso: '2026-11-24T00:04:11.208000Z', ms: 1795478651208 })
})

function pad(value: number): string {
  return String(value).padStart(2, '0')
}
