/** Reads a schedule as it is written on a command line, and the time it is asked about. */
import { parseDuration } from '../config/duration.ts'
import { parseInstant } from '../events/instant.ts'
import { readObject } from './event-arguments.ts'
import { UsageInvalid } from './failure.ts'

/**
 * Cron (`*\/5 * * * *`, `@daily`), `every 90s`, a recurrence (`FREQ=DAILY`, lines apart by \n), or a spec as JSON.
 * @returns what `compileSchedule` takes, and checks
 */
export function readScheduleText(text: string, timeZone: string | undefined): object {
  const zone = timeZone === undefined ? {} : { timeZone }
  const trimmed = text.trim()
  if (trimmed.startsWith('{')) return { ...readObject('the schedule', trimmed), ...zone }
  if (/^every\s/i.test(trimmed)) {
    const everyMs = parseDuration(trimmed.slice('every'.length))
    if (everyMs === null) throw new UsageInvalid(`"${trimmed}" is no interval: write it as "every 90s".`)
    return { everyMs, ...zone }
  }
  if (/FREQ=|^(DTSTART|RRULE|RDATE)[:;]/i.test(trimmed)) return { rrule: trimmed.replaceAll('\\n', '\n'), ...zone }
  return { cron: trimmed, ...zone }
}

/** Milliseconds of `--from` or `--to`. @throws UsageInvalid */
export function readTime(flag: string, text: string): number {
  const dated = /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text
  const instant = parseInstant(dated)
  if (instant === null)
    throw new UsageInvalid(`${flag} is "${text}", but it must be a time such as 2026-11-24 or 2026-11-24T09:00:00Z.`)
  return instant.ms
}
