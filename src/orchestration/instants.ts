/** Reckoning with canonical instants, which are text: `YYYY-MM-DDTHH:MM:SS.ffffffZ`. Their order is that of text. */

const FIRST = '0001-01-01T00:00:00.000000Z'
const LAST = '9999-12-31T23:59:59.999999Z'
const SECOND_LENGTH = '2026-11-24T00:04:11'.length

/** Seconds from one instant to another, to the microsecond. */
export function secondsBetween(from: string, to: string): number {
  const micros = (wholeMs(to) - wholeMs(from)) * 1_000 + (fraction(to) - fraction(from))
  return micros / 1e6
}

/** The instant so many seconds later; the first one of the year 1, or the last one of 9999, when it would be beyond. */
export function plusSeconds(instant: string, seconds: number): string {
  const micros = fraction(instant) + Math.round(seconds * 1e6)
  const carried = Math.floor(micros / 1e6)
  const ms = wholeMs(instant) + carried * 1_000
  if (ms < wholeMs(FIRST)) return FIRST
  if (!(ms <= wholeMs(LAST))) return LAST
  const rest = String(micros - carried * 1e6).padStart(6, '0')
  return `${new Date(ms).toISOString().slice(0, SECOND_LENGTH)}.${rest}Z`
}

/** The instant a microsecond later: for what must not share an instant with what came before. */
export function justAfter(instant: string): string {
  return plusSeconds(instant, 1e-6)
}

function wholeMs(instant: string): number {
  return Date.parse(`${instant.slice(0, SECOND_LENGTH)}Z`)
}

function fraction(instant: string): number {
  return Number(instant.slice(SECOND_LENGTH + 1, -1))
}
