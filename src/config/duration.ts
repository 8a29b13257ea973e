/**
 * Durations as people write them. No library reads all three ways that operators already use (`36h`, ISO 8601, and the
 * `7 days, 00:00:00` of Python's timedelta), and each is one expression.
 */

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

const BARE = /^\d+(\.\d+)?$/
const PARTS = /^(\d+(\.\d+)?(ms|s|min|m|h|d|w)\s*)+$/
const PART = /(\d+(?:\.\d+)?)(ms|s|min|m|h|d|w)/g
const ISO = /^P(?=\d|T\d)(?:([\d.]+)W)?(?:([\d.]+)D)?(?:T(?=\d)(?:([\d.]+)H)?(?:([\d.]+)M)?(?:([\d.]+)S)?)?$/i
const TIMEDELTA = /^(?:(\d+)\s*d(?:ays?)?)?(?:(?:^|,?\s+)(\d{1,2}):([0-5]?\d):([0-5]?\d(?:\.\d+)?))?$/i

/**
 * Reads a duration: `250ms`, `15s`, `90m`, `36h`, `7d`, `2w` and sums of them (`1h30m`), a bare number of seconds,
 * ISO 8601 without years and months (`P7D`, `PT36H`), `7 days`, `[7 days, ]01:30:00`.
 * @returns whole milliseconds, or null when the text is none of these
 */
export function parseDuration(text: string): number | null {
  const trimmed = text.trim()
  if (trimmed === '') return null
  const ms = parseBare(trimmed) ?? parseParts(trimmed.toLowerCase()) ?? parseIso(trimmed) ?? parseTimedelta(trimmed)
  return ms === null || !Number.isFinite(ms) ? null : Math.round(ms)
}

function parseBare(text: string): number | null {
  return BARE.test(text) ? Number(text) * 1_000 : null
}

function parseParts(text: string): number | null {
  if (!PARTS.test(text)) return null
  return [...text.matchAll(PART)].reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS_MS[unit ?? ''] ?? 0), 0)
}

function parseIso(text: string): number | null {
  const match = ISO.exec(text)
  return match && total(match.slice(1), ['w', 'd', 'h', 'm', 's'])
}

function parseTimedelta(text: string): number | null {
  const match = TIMEDELTA.exec(text)
  return match && total(match.slice(1), ['d', 'h', 'm', 's'])
}

function total(counts: readonly (string | undefined)[], units: readonly string[]): number {
  return counts.reduce((sum, count, index) => sum + Number(count ?? 0) * (UNITS_MS[units[index] ?? ''] ?? 0), 0)
}

/** Writes milliseconds in the largest unit that divides them: `7d`, `90m`, `1500ms`; `0s` for nothing. */
export function formatDuration(ms: number): string {
  const unit = ['d', 'h', 'm', 's'].find((name) => ms % (UNITS_MS[name] ?? 1) === 0 && ms !== 0)
  if (unit !== undefined) return `${ms / (UNITS_MS[unit] ?? 1)}${unit}`
  return ms === 0 ? '0s' : `${ms}ms`
}
