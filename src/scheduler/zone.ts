/** The offsets of a time zone over the years, from the tz database of this Node: pure, and remembered by the year. */
import { ScheduleInvalid } from '#src/errors.ts'

/** No instant is computed before 1900 and after 2299: nobody plans there, and a search has to end. */
export const MIN_MS = Date.UTC(1900, 0, 1)
export const MAX_MS = Date.UTC(2300, 0, 1)

const DAY_MS = 86_400_000

/** A stretch of time, at most a UTC year, in which the offset is the same; offsets are local time minus UTC. */
export interface Stretch {
  readonly fromMs: number
  /** Exclusive. */
  readonly toMs: number
  readonly offsetMs: number
  /** The offsets right before and right after; the same as `offsetMs` where only the year ends. */
  readonly beforeMs: number
  readonly afterMs: number
}

export interface Zone {
  readonly name: string
  offsetAt(ms: number): number
  stretchAt(ms: number): Stretch
}

const zones = new Map<string, Zone>()

/** The version of the tz database that is in force here, such as 2025c: rules of zones change. */
export const tzVersion = process.versions.tz ?? 'unknown'

/** @throws ScheduleInvalid when this tz database doesn't have it; offsets such as +02:00 aren't zones */
export function zoneNamed(name: string): Zone {
  const known = zones.get(name)
  if (known !== undefined) return known
  const zone = openZone(name)
  zones.set(name, zone)
  return zone
}

function openZone(name: string): Zone {
  const offsetAt = offsetReader(name)
  const years = new Map<number, readonly Stretch[]>()
  return {
    name,
    offsetAt,
    stretchAt(ms) {
      const year = new Date(ms).getUTCFullYear()
      let stretches = years.get(year)
      if (stretches === undefined) {
        stretches = stretchesOf(year, offsetAt)
        years.set(year, stretches)
      }
      return stretches.find(({ toMs }) => ms < toMs) as Stretch
    },
  }
}

const OFFSET = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/

function offsetReader(timeZone: string): (ms: number) => number {
  if (timeZone === 'UTC') return () => 0
  let format: Intl.DateTimeFormat | null = null
  if (/^[A-Za-z]/.test(timeZone)) {
    try {
      format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' })
    } catch {} // not in the database: said below, with every other name that is not a zone
  }
  if (format === null)
    throw new ScheduleInvalid(`The time zone '${timeZone}' is not known here: use a name such as Europe/Berlin or UTC.`)
  const { format: print } = format
  return (ms) => {
    const [, sign, hours = 0, minutes = 0, seconds = 0] = OFFSET.exec(print(ms)) ?? []
    const size = (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * 1_000
    return sign === '-' ? -size : size
  }
}

/** Looks once a day, and halves the day on which the offset changed: no zone changes twice within one. */
function stretchesOf(year: number, offsetAt: (ms: number) => number): readonly Stretch[] {
  const startMs = Date.UTC(year, 0, 1)
  const endMs = Date.UTC(year + 1, 0, 1)
  const stretches: Stretch[] = []
  let fromMs = startMs
  let beforeMs = offsetAt(startMs - 1)
  let offsetMs = offsetAt(startMs)
  for (let dayMs = startMs; dayMs < endMs; dayMs += DAY_MS) {
    const afterMs = offsetAt(dayMs + DAY_MS)
    if (afterMs === offsetMs) continue
    const toMs = changeBetween(dayMs, dayMs + DAY_MS, offsetAt)
    if (toMs === endMs) break
    stretches.push({ fromMs, toMs, offsetMs, beforeMs, afterMs })
    fromMs = toMs
    beforeMs = offsetMs
    offsetMs = afterMs
  }
  stretches.push({ fromMs, toMs: endMs, offsetMs, beforeMs, afterMs: offsetAt(endMs) })
  return stretches
}

/** The first millisecond that has the offset of `highMs`. */
function changeBetween(lowMs: number, highMs: number, offsetAt: (ms: number) => number): number {
  const after = offsetAt(highMs)
  let low = lowMs
  let high = highMs
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (offsetAt(middle) === after) high = middle
    else low = middle
  }
  return high
}
