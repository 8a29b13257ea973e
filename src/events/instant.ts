/** A point in time as the envelope keeps it. */
export interface Instant {
  /** `YYYY-MM-DDTHH:MM:SS.ffffffZ`: UTC, always microseconds, so that text order is time order. */
  readonly iso: string
  /** Milliseconds since the Unix epoch, rounded down. */
  readonly ms: number
}

const CANONICAL_LENGTH = '2026-11-24T00:04:11.208894Z'.length
const FORM = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,12}))?\s?(Z|z|[+-]\d\d(?::?\d\d)?)?$/
/** The first and the last instant that `parseInstant` takes, in epoch milliseconds. */
export const FIRST_MS = Date.parse('0001-01-01T00:00:00Z')
export const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z')
/** Numbers above this are milliseconds, below it seconds: the watershed of pydantic, which Prefect's server uses. */
const SECONDS_BELOW = 2e10

/**
 * Reads the three forms that Prefect's client sends: ISO 8601 with `T`, the same with a space, and epoch seconds as a
 * number. Without an offset the time is UTC. Digits beyond microseconds are cut. Null when it is none of these, not a
 * date of the calendar, or outside the years 1 to 9999 (the range that Python, and so every client, can hold).
 */
export function parseInstant(value: unknown): Instant | null {
  if (typeof value === 'string') return fromText(value)
  if (typeof value === 'number') return fromNumber(value)
  return null
}

const DATE = /^\d{4}-\d\d-\d\d$/

/** The same, and a date alone, which is its midnight in UTC: so Prefect's server reads what is asked of it. */
export function parseInstantOrDate(value: unknown): Instant | null {
  return parseInstant(typeof value === 'string' && DATE.test(value) ? `${value}T00:00:00Z` : value)
}

/** The instant of a clock reading in milliseconds. */
export function instantOfMs(ms: number): Instant {
  return { iso: `${new Date(ms).toISOString().slice(0, -1)}000Z`, ms }
}

/** Of several instants in one event or row most are the same text. */
let last: Instant = { iso: '', ms: 0 }

function fromText(text: string): Instant | null {
  if (text === last.iso && text !== '') return last
  const ms = msOfCanonical(text)
  if (ms !== null) {
    last = { iso: text, ms }
    return last
  }
  const match = FORM.exec(text)
  if (match === null) return null
  const [, date = '', clock = '', fraction = '', zone = 'Z'] = match
  const seconds = clock.length === 5 ? `${clock}:00` : clock
  const wholeMs = Date.parse(`${date}T${seconds}Z`)
  // Date.parse takes the 30th of February for the 2nd of March: a date that does not come back is not in the calendar.
  if (Number.isNaN(wholeMs) || new Date(wholeMs).toISOString().slice(0, 10) !== date) return null
  const micros = fraction.padEnd(6, '0').slice(0, 6)
  if (zone === 'Z' || zone === 'z') {
    if (wholeMs < FIRST_MS) return null
    return {
      iso: isCanonical(text, fraction) ? text : `${date}T${seconds}.${micros}Z`,
      ms: wholeMs + Number(micros.slice(0, 3)),
    }
  }
  const offsetMs = offsetOf(zone)
  if (offsetMs === null) return null
  return compose(wholeMs - offsetMs, micros)
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const FIRST_PLAIN_YEAR = 1_000

/**
 * Of most instants that are in our form already; asking the calendar takes ten times as long. Null for the others, among them
 * years that `Date.UTC` reads otherwise, and the 29th of February.
 */
function msOfCanonical(text: string): number | null {
  if (text.length !== CANONICAL_LENGTH) return null
  if (text[4] !== '-' || text[7] !== '-' || text[10] !== 'T') return null
  if (text[13] !== ':' || text[16] !== ':' || text[19] !== '.' || text[26] !== 'Z') return null
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2)
  const month = twoDigits(text, 5) - 1
  const day = twoDigits(text, 8)
  if (!(year >= FIRST_PLAIN_YEAR && month >= 0 && month < 12 && day >= 1 && day <= (DAYS[month] as number))) return null
  const [hour, minute, second] = [twoDigits(text, 11), twoDigits(text, 14), twoDigits(text, 17)]
  if (!(hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second < 60)) return null
  const micros = twoDigits(text, 20) * 10_000 + twoDigits(text, 22) * 100 + twoDigits(text, 24)
  return micros < 0 ? null : Date.UTC(year, month, day, hour, minute, second, Math.floor(micros / 1_000))
}

/** Less than any number that others could make good for when they are none. */
const NO_DIGITS = -1e6

function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 0x30
  const ones = text.charCodeAt(at + 1) - 0x30
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NO_DIGITS
}

/** Of a text in our form; its length alone would let others pass, such as one with a comma or without seconds. */
function isCanonical(text: string, fraction: string): boolean {
  return (
    text.length === CANONICAL_LENGTH &&
    fraction.length === 6 &&
    text[10] === 'T' &&
    text[19] === '.' &&
    text[CANONICAL_LENGTH - 1] === 'Z'
  )
}

function fromNumber(value: number): Instant | null {
  const seconds = Math.abs(value) > SECONDS_BELOW ? value / 1000 : value
  if (!Number.isFinite(seconds)) return null
  const whole = Math.floor(seconds)
  const micros = Math.min(999_999, Math.round((seconds - whole) * 1e6))
  return compose(whole * 1000, String(micros).padStart(6, '0'))
}

function compose(wholeMs: number, micros: string): Instant | null {
  if (!(wholeMs >= FIRST_MS && wholeMs <= LAST_MS)) return null
  return { iso: `${new Date(wholeMs).toISOString().slice(0, 19)}.${micros}Z`, ms: wholeMs + Number(micros.slice(0, 3)) }
}

function offsetOf(zone: string): number | null {
  const hours = Number(zone.slice(1, 3))
  const minutes = zone.length > 3 ? Number(zone.slice(-2)) : 0
  if (hours > 23 || minutes > 59) return null
  return (zone[0] === '-' ? -1 : 1) * (hours * 60 + minutes) * 60_000
}
