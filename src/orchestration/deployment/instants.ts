/** When a deployment's schedule is due: Prefect's way to write it, computed by `scheduler/`. */
import { CommandInvalid, ScheduleInvalid } from '#src/errors.ts'
import { instantOfMs, parseInstantOrDate } from '#src/events/instant.ts'
import { compileSchedule, type Schedule, type ScheduleSpec } from '#src/scheduler/index.ts'

type Written = Readonly<Record<string, unknown>>

/** How far ahead runs are scheduled. */
export interface Horizon {
  /** Runs that there are to be at the least … */
  readonly minRuns: number
  /** … and that are enough once the last of them is so far away; milliseconds. */
  readonly minMs: number
  readonly maxRuns: number
  /** Nothing is scheduled farther away; milliseconds. */
  readonly maxMs: number
}

/** That of Prefect's scheduler: at least 3 runs and an hour, at most 100 runs and 100 days. */
export const HORIZON: Horizon = { minRuns: 3, minMs: 3_600_000, maxRuns: 100, maxMs: 100 * 86_400_000 }

/**
 * The schedule as it is stored: with an anchor, if it is an interval, and the fields in an order of their own.
 * @throws CommandInvalid when it can't be computed
 */
export function checkSchedule(written: Written, now: string): Written {
  const stored = storedForm(written, now)
  try {
    compileSchedule(specOf(stored))
  } catch (error) {
    if (error instanceof ScheduleInvalid) throw new CommandInvalid(error.message, { cause: error })
    throw error
  }
  return stored
}

/** Instants from `fromMs` on that runs should be scheduled for, ascending; milliseconds. */
export function dueInstants(written: Written, fromMs: number, horizon: Horizon): number[] {
  const due: number[] = []
  for (const at of compiled(written).between(fromMs - 1, fromMs + horizon.maxMs)) {
    due.push(at)
    if (due.length >= horizon.maxRuns) break
    if (due.length >= horizon.minRuns && at >= fromMs + horizon.minMs) break
  }
  return due
}

/** Whether an instant is one of the schedule's; false for NaN. */
export function isDue(written: Written, ms: number): boolean {
  return compiled(written).next(ms - 1) === ms
}

/** The word for a kind of schedule that Prefect shows as the creator of its runs. */
export function scheduleKind(written: Written): string {
  if ('interval' in written) return 'IntervalSchedule'
  return 'cron' in written ? 'CronSchedule' : 'RRuleSchedule'
}

const COMPILED = new Map<string, Schedule>()
const MOST_COMPILED = 1_000

function compiled(written: Written): Schedule {
  const text = JSON.stringify(written)
  const known = COMPILED.get(text)
  if (known !== undefined) return known
  if (COMPILED.size >= MOST_COMPILED) COMPILED.clear()
  const schedule = compileSchedule(specOf(written))
  COMPILED.set(text, schedule)
  return schedule
}

function storedForm(written: Written, now: string): Written {
  if ('interval' in written) {
    const { interval, anchor_date, timezone } = written
    return { interval, anchor_date: anchorOf(anchor_date, now), timezone: timezone ?? 'UTC' }
  }
  if ('cron' in written) {
    const { cron, timezone, day_or } = written
    return { cron, timezone: timezone ?? null, day_or: day_or ?? true }
  }
  const { rrule, timezone } = written
  return { rrule, timezone: timezone ?? 'UTC' }
}

function anchorOf(date: unknown, now: string): string {
  if (date === undefined || date === null) return now
  const found = parseInstantOrDate(date)
  if (found === null) throw new CommandInvalid(`The schedule's anchor_date ${JSON.stringify(date)} is no date.`)
  return found.iso
}

function specOf(written: Written): ScheduleSpec {
  const zone = typeof written['timezone'] === 'string' ? { timeZone: written['timezone'] } : {}
  if ('interval' in written) {
    const everyMs = Math.round(Number(written['interval']) * 1_000)
    return { everyMs, anchor: String(written['anchor_date']), ...zone }
  }
  if ('cron' in written) return { cron: String(written['cron']), dayOr: written['day_or'] !== false, ...zone }
  return { rrule: String(written['rrule']), ...zone }
}

/** A date as Python writes it, which is part of the keys by which Prefect's scheduler makes each run once. */
export function pythonDate(ms: number): string {
  const { iso } = instantOfMs(ms)
  const [date, time] = iso.slice(0, -1).split('T') as [string, string]
  return `${date} ${time.endsWith('.000000') ? time.slice(0, 8) : time}+00:00`
}

/** The instant of such a date, in milliseconds; NaN when it is none. */
export function instantOfPythonDate(text: string): number {
  return Date.parse(text.replace(' ', 'T'))
}
