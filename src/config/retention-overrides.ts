/** How long events of some names are kept, written as JSON: `{"prefect.flow-run.heartbeat": "1d", "billing.*": "2y"}`. */
import { formatDuration, parseDuration } from './duration.ts'

const YEARS = /^(\d+(?:\.\d+)?)\s*y$/i
const YEAR_MS = 365 * 86_400_000
const MIN_MS = 60_000
const MAX_MS = 36_500 * 86_400_000
/** A name, or the beginning of names and a star. */
const PATTERN = /^(?:[^*]+\*?|\*)$/

/** What is allowed, as a phrase. */
export const OVERRIDES_ALLOWED =
  'a JSON object of event names, or beginnings of names with * at the end, to durations from 1m to 36500d, such as ' +
  '{"prefect.flow-run.heartbeat": "1d", "billing.*": "2y"}'

/** Milliseconds by pattern, in the order they are written; null when the text says something else. */
export function parseOverrides(text: string): Record<string, number> | null {
  let written: unknown
  try {
    written = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof written !== 'object' || written === null || Array.isArray(written)) return null
  const read = Object.entries(written).map(([pattern, value]) => [pattern, readDuration(value)] as const)
  const right = read.every(([pattern, ms]) => PATTERN.test(pattern) && ms !== null && ms >= MIN_MS && ms <= MAX_MS)
  return right ? (Object.fromEntries(read) as Record<string, number>) : null
}

/** As it may be written in the environment. */
export function formatOverrides(overrides: Readonly<Record<string, number>>): string {
  const entries = Object.entries(overrides).map(([pattern, ms]) => [pattern, formatDuration(ms)])
  return JSON.stringify(Object.fromEntries(entries))
}

/** Years are for retention alone: elsewhere nothing takes so long that it matters how long one is. */
function readDuration(value: unknown): number | null {
  if (typeof value === 'number') return value >= 0 ? Math.round(value * 1_000) : null
  if (typeof value !== 'string') return null
  const years = YEARS.exec(value.trim())?.[1]
  return years === undefined ? parseDuration(value) : Number(years) * YEAR_MS
}
