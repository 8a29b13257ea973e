/** One rule of RFC 5545 as local times, from any time on and at a bounded cost, whenever it began and whether it ever fires. */
import { ScheduleInvalid } from '#src/errors.ts'
import { DAY_MS, type DayParts, dayMatcher, type Frequency, firstDayAfter, periodOf } from './recurrence-days.ts'
import type { NextWall } from './wall-instants.ts'
import { MAX_MS } from './zone.ts'

/** A rule with everything filled in that it takes from its start. */
export interface RecurrenceRule extends DayParts {
  readonly startWall: number
  readonly untilWall: number | null
  readonly count: number | null
  /** Empty: any; for frequencies of a day and longer, one at least. */
  readonly hours: readonly number[]
  readonly minutes: readonly number[]
  readonly seconds: readonly number[]
  readonly positions: readonly number[]
}

/** Every pattern of days repeats within 28 years, or within 40 across a century without its leap day. */
const HORIZON_MS = 41 * 366 * DAY_MS

/** BYSETPOS lists all of a period to choose from it: a year of each second would be 31 million. */
const MAX_TIMES = 100

const STEP_MS: Partial<Readonly<Record<Frequency, number>>> = { HOURLY: 3_600_000, MINUTELY: 60_000, SECONDLY: 1_000 }

/** @throws ScheduleInvalid for BYSETPOS where there is nothing, or too much, to choose from */
export function ruleWalls(rule: RecurrenceRule): NextWall {
  const stepMs = STEP_MS[rule.frequency]
  if (stepMs !== undefined && rule.positions.length > 0)
    throw new ScheduleInvalid("The recurrence can't be read: BYSETPOS needs a FREQ of DAILY or longer.")
  if (rule.positions.length > 0 && rule.hours.length * rule.minutes.length * rule.seconds.length > MAX_TIMES)
    throw new ScheduleInvalid(`The recurrence can't be read: BYSETPOS chooses among at most ${MAX_TIMES} times a day.`)
  const walls = bounded(rule, stepMs === undefined ? wallsByPeriod(rule) : wallsByStep(rule, stepMs))
  return rule.count === null ? walls : listedWalls(firstOf(walls, rule.count))
}

function bounded({ startWall, untilWall }: RecurrenceRule, walls: NextWall): NextWall {
  const lastWall = Math.min(untilWall ?? MAX_MS, MAX_MS)
  return (afterWall) => {
    if (afterWall >= lastWall) return null
    const wall = walls(Math.max(afterWall, startWall - 1))
    return wall === null || wall > lastWall ? null : wall
  }
}

/** Years, months, weeks and days: each gives days, each day the same times. */
function wallsByPeriod(rule: RecurrenceRule): NextWall {
  const { startWall, interval, positions } = rule
  const matches = dayMatcher(rule)
  const times = timesOfDay(rule)
  const startIndex = periodOf(rule, midnight(startWall)).index
  return (afterWall) => {
    const lastDay = Math.min(
      MAX_MS,
      afterWall + HORIZON_MS * (rule.frequency === 'YEARLY' ? interval : Math.ceil(interval / 12)),
    )
    let day = midnight(afterWall)
    while (day <= lastDay) {
      const period = periodOf(rule, day)
      const off = modulo(period.index - startIndex, interval)
      if (off === 0) {
        const from = positions.length > 0 ? period.firstDay : day
        const found: number[] = []
        for (let at = from; at < period.endDay; at += DAY_MS) {
          if (!matches(at)) continue
          for (const time of times) {
            if (positions.length > 0) found.push(at + time)
            else if (at + time > afterWall) return at + time
          }
        }
        const chosen = positions.flatMap((place) => found.at(place > 0 ? place - 1 : place) ?? []).sort((a, b) => a - b)
        const next = chosen.find((wall) => wall > afterWall)
        if (next !== undefined) return next
      }
      day = firstDayAfter(rule, period, interval - off)
    }
    return null
  }
}

/** Hours, minutes and seconds: steps of elapsed local time, of which the other parts let some through. */
function wallsByStep(rule: RecurrenceRule, stepMs: number): NextWall {
  const { startWall, interval, hours, minutes, seconds } = rule
  const everyMs = stepMs * interval
  const base = startWall - modulo(startWall, stepMs)
  const matches = dayMatcher(rule)
  const within = timesWithin(rule, stepMs)
  const units = [
    { unitMs: 3_600_000, most: 24, allowed: hours },
    { unitMs: 60_000, most: 60, allowed: minutes },
    { unitMs: 1_000, most: 60, allowed: seconds },
  ].filter(({ unitMs, allowed }) => unitMs >= stepMs && allowed.length > 0)
  /** The end of the hour, minute or second that is not let through; null for a step that is. */
  const refusedUntil = (step: number) => {
    for (const { unitMs, most, allowed } of units) {
      const count = Math.floor(step / unitMs)
      if (!allowed.includes(modulo(count, most))) return (count + 1) * unitMs
    }
    return null
  }
  if (!everFires(base, everyMs, stepMs, (time) => refusedUntil(time) === null)) return () => null
  return (afterWall) => {
    const lastWall = Math.min(MAX_MS, afterWall + HORIZON_MS + everyMs)
    let step = base + Math.floor((afterWall - base) / everyMs) * everyMs
    while (step <= lastWall) {
      const day = midnight(step)
      const until = matches(day) ? refusedUntil(step) : day + DAY_MS
      if (until !== null) {
        step = base + Math.ceil((until - base) / everyMs) * everyMs
        continue
      }
      const time = within.find((time) => step + time > afterWall)
      if (time !== undefined) return step + time
      step += everyMs
    }
    return null
  }
}

/** Steps meet a day at times that differ by their common divisor with it: when none of those is let, none ever is. */
function everFires(base: number, everyMs: number, stepMs: number, isLet: (step: number) => boolean): boolean {
  const apart = Math.max(stepMs, commonDivisor(everyMs, DAY_MS))
  for (let time = modulo(base, apart); time < DAY_MS; time += apart) if (isLet(time)) return true
  return false
}

/** Never negative, also before 1970. */
function modulo(a: number, b: number): number {
  return ((a % b) + b) % b
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b)
}

function timesOfDay({ hours, minutes, seconds }: RecurrenceRule): number[] {
  return hours
    .flatMap((hour) =>
      minutes.flatMap((minute) => seconds.map((second) => (hour * 3_600 + minute * 60 + second) * 1_000)),
    )
    .sort((a, b) => a - b)
}

/** The times that one step brings: an hour those of its minutes and seconds, a second itself. */
function timesWithin({ minutes, seconds }: RecurrenceRule, stepMs: number): number[] {
  const inMinute = stepMs > 1_000 ? seconds : [0]
  const inHour = stepMs > 60_000 ? minutes : [0]
  return inHour.flatMap((minute) => inMinute.map((second) => (minute * 60 + second) * 1_000)).sort((a, b) => a - b)
}

function firstOf(walls: NextWall, count: number): number[] {
  const found: number[] = []
  for (let wall = walls(Number.MIN_SAFE_INTEGER); wall !== null && found.length < count; wall = walls(wall))
    found.push(wall)
  return found
}

/** A list as a source; it is ascending. */
export function listedWalls(walls: readonly number[]): NextWall {
  return (afterWall) => {
    let low = 0
    let high = walls.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((walls[middle] as number) > afterWall) high = middle
      else low = middle + 1
    }
    return walls[low] ?? null
  }
}

function midnight(wall: number): number {
  return Math.floor(wall / DAY_MS) * DAY_MS
}
