/** Recurrences of RFC 5545 as local times: rules and dates, without exceptions. */
import { ScheduleInvalid } from '#src/errors.ts'
import { type Frequency, weekdayOf } from './recurrence-days.ts'
import { listedWalls, type RecurrenceRule, ruleWalls } from './recurrence-rule.ts'
import { readRecurrence, readWall } from './recurrence-text.ts'
import type { RecurrenceSpec } from './spec.ts'
import type { NextWall } from './wall-instants.ts'
import type { Zone } from './zone.ts'

const WEEKDAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU']

/** The local times of a recurrence, and whether all its rules go by the hour or finer. @throws ScheduleInvalid */
export function recurrenceWalls({ rrule }: RecurrenceSpec, zone: Zone): { walls: NextWall; everyHour: boolean } {
  const { startWall, rules: parts, dates, exceptions } = readRecurrence(rrule, zone)
  const rules = parts.map((each) => ruleOf(each, startWall, zone))
  const sources = rules.map(ruleWalls)
  if (dates.length > 0) sources.push(listedWalls(dates))
  return {
    walls: without(exceptions, union(sources)),
    everyHour: rules.length > 0 && rules.every(({ frequency }) => /^(HOURLY|MINUTELY|SECONDLY)$/.test(frequency)),
  }
}

/** Fills in what a rule takes from its start: a rule that names no days comes on the day it began, and so with times. */
function ruleOf(parts: ReadonlyMap<string, string>, startWall: number, zone: Zone): RecurrenceRule {
  const frequency = parts.get('FREQ') as Frequency
  const start = new Date(startWall)
  const numbers = (name: string) => parts.get(name)?.split(',').map(Number) ?? []
  const given = (name: string, otherwise: number, whenDue: boolean) =>
    parts.has(name) || !whenDue ? numbers(name) : [otherwise]
  const daysNamed = ['BYWEEKNO', 'BYYEARDAY', 'BYMONTHDAY', 'BYDAY'].some((name) => parts.has(name))
  const isYearly = frequency === 'YEARLY'
  const isMonthly = frequency === 'MONTHLY'
  const isFine = (...names: Frequency[]) => names.includes(frequency)
  const until = parts.get('UNTIL')
  const named = (parts.get('BYDAY')?.split(',') ?? []).map((item) => ({
    weekday: WEEKDAYS.indexOf(item.slice(-2)),
    nth: item.length === 2 ? null : Number(item.slice(0, -2)),
  }))
  if (!isYearly && !isMonthly && named.some(({ nth }) => nth !== null))
    throw new ScheduleInvalid("The recurrence can't be read: BYDAY with a number needs FREQ=MONTHLY or YEARLY.")
  const weekly = frequency === 'WEEKLY' && !daysNamed ? [{ weekday: weekdayOf(startWall), nth: null }] : named
  return {
    frequency,
    interval: Number(parts.get('INTERVAL') ?? 1),
    count: parts.has('COUNT') ? Number(parts.get('COUNT')) : null,
    startWall,
    untilWall: until === undefined ? null : readWall(until, zone),
    weekStart: Math.max(0, WEEKDAYS.indexOf(parts.get('WKST') ?? 'MO')),
    months: given('BYMONTH', start.getUTCMonth() + 1, isYearly && !daysNamed),
    monthDays: given('BYMONTHDAY', start.getUTCDate(), (isYearly || isMonthly) && !daysNamed),
    yearDays: numbers('BYYEARDAY'),
    weekNumbers: numbers('BYWEEKNO'),
    weekdays: weekly,
    hours: given('BYHOUR', start.getUTCHours(), !isFine('HOURLY', 'MINUTELY', 'SECONDLY')),
    minutes: given('BYMINUTE', start.getUTCMinutes(), !isFine('MINUTELY', 'SECONDLY')),
    seconds: given('BYSECOND', start.getUTCSeconds(), !isFine('SECONDLY')),
    positions: numbers('BYSETPOS'),
  }
}

function union(sources: readonly NextWall[]): NextWall {
  const [only] = sources
  if (sources.length === 1 && only !== undefined) return only
  return (afterWall) => {
    const next = Math.min(...sources.map((source) => source(afterWall) ?? Number.POSITIVE_INFINITY))
    return next === Number.POSITIVE_INFINITY ? null : next
  }
}

function without(exceptions: ReadonlySet<number>, walls: NextWall): NextWall {
  return (afterWall) => {
    let wall = walls(afterWall)
    while (wall !== null && exceptions.has(wall)) wall = walls(wall)
    return wall
  }
}
