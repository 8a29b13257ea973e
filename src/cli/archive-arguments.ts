/** Reads what the commands under `millrace archive` are given. */
import { parseDuration } from '../config/duration.ts'
import { parseInstantOrDate } from '../events/instant.ts'
import { UsageInvalid } from './failure.ts'

const DATE = /^\d{4}-\d\d-\d\d$/
/** What the API takes. */
const SHORTEST_MS = 60_000
const LONGEST_MS = 3650 * 86_400_000

/** A day as it is written: the archive has it by this name. @throws UsageInvalid */
export function readDay(text: string): string {
  if (DATE.test(text) && parseInstantOrDate(text) !== null) return text
  throw new UsageInvalid(`--day is "${text}", but it must be a day such as 2026-11-01.`)
}

/** Milliseconds of `--for`. @throws UsageInvalid */
export function readFor(text: string): number {
  const ms = parseDuration(text)
  if (ms !== null && ms >= SHORTEST_MS && ms <= LONGEST_MS) return ms
  throw new UsageInvalid(`--for is "${text}", but it must be a duration such as 36h or 7d, from 1m to 3650d.`)
}
