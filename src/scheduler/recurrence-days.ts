/** Which days a rule of RFC 5545 takes: days are milliseconds of their midnight on a clock without a zone. */

export const DAY_MS = 86_400_000
export const FREQUENCIES = ['YEARLY', 'MONTHLY', 'WEEKLY', 'DAILY', 'HOURLY', 'MINUTELY', 'SECONDLY'] as const
export type Frequency = (typeof FREQUENCIES)[number]

/** The parts of a rule that choose days; an empty list restricts nothing. Weekdays count from Monday, 0. */
export interface DayParts {
  readonly frequency: Frequency
  readonly interval: number
  readonly weekStart: number
  readonly months: readonly number[]
  readonly monthDays: readonly number[]
  readonly yearDays: readonly number[]
  readonly weekNumbers: readonly number[]
  readonly weekdays: readonly { readonly weekday: number; readonly nth: number | null }[]
}

/** A year, a month, a week or a day; `index` counts them. */
export interface Period {
  readonly index: number
  readonly firstDay: number
  /** Exclusive. */
  readonly endDay: number
}

/** Whether a day meets every part that is given. */
export function dayMatcher(parts: DayParts): (day: number) => boolean {
  const { frequency, months, monthDays, yearDays, weekNumbers, weekdays, weekStart } = parts
  const inMonth = frequency === 'MONTHLY' || months.length > 0 // what BYDAY=-1FR counts within
  return (day) => {
    const date = new Date(day)
    const year = date.getUTCFullYear()
    const month = date.getUTCMonth()
    if (months.length > 0 && !months.includes(month + 1)) return false
    const monthBegin = Date.UTC(year, month, 1)
    const monthEnd = Date.UTC(year, month + 1, 1)
    if (monthDays.length > 0 && !isAt(monthDays, day, monthBegin, monthEnd)) return false
    const yearBegin = Date.UTC(year, 0, 1)
    const yearEnd = Date.UTC(year + 1, 0, 1)
    if (yearDays.length > 0 && !isAt(yearDays, day, yearBegin, yearEnd)) return false
    if (weekNumbers.length > 0 && !isInWeek(weekNumbers, day, weekStart)) return false
    if (weekdays.length === 0) return true
    const [begin, end] = inMonth ? [monthBegin, monthEnd] : [yearBegin, yearEnd]
    return weekdays.some(({ weekday, nth }) => {
      if (weekdayOf(day) !== weekday) return false
      if (nth === null) return true
      return nth > 0
        ? Math.floor((day - begin) / (7 * DAY_MS)) + 1 === nth
        : -Math.ceil((end - day) / (7 * DAY_MS)) === nth
    })
  }
}

/** The period of this rule's frequency that a day is in; for those finer than a day, the day. */
export function periodOf({ frequency, weekStart }: DayParts, day: number): Period {
  const date = new Date(day)
  const year = date.getUTCFullYear()
  if (frequency === 'YEARLY') return { index: year, firstDay: Date.UTC(year, 0, 1), endDay: Date.UTC(year + 1, 0, 1) }
  if (frequency === 'MONTHLY') {
    const month = date.getUTCMonth()
    return { index: year * 12 + month, firstDay: Date.UTC(year, month, 1), endDay: Date.UTC(year, month + 1, 1) }
  }
  if (frequency === 'WEEKLY') {
    const firstDay = weekBegin(day, weekStart)
    return { index: Math.floor(firstDay / (7 * DAY_MS)), firstDay, endDay: firstDay + 7 * DAY_MS }
  }
  return { index: day / DAY_MS, firstDay: day, endDay: day + DAY_MS }
}

/** The first day of the period that comes `count` periods after this one. */
export function firstDayAfter({ frequency }: DayParts, { index, firstDay }: Period, count: number): number {
  if (frequency === 'YEARLY') return Date.UTC(index + count, 0, 1)
  if (frequency === 'MONTHLY') return Date.UTC(Math.floor((index + count) / 12), (index + count) % 12, 1)
  return firstDay + count * (frequency === 'WEEKLY' ? 7 : 1) * DAY_MS
}

/** Monday is 0. */
export function weekdayOf(day: number): number {
  return (new Date(day).getUTCDay() + 6) % 7
}

function weekBegin(day: number, weekStart: number): number {
  return day - ((weekdayOf(day) - weekStart + 7) % 7) * DAY_MS
}

/** Whether a day is at one of these places, counted from 1, or from -1 backwards. */
function isAt(places: readonly number[], day: number, begin: number, end: number): boolean {
  const place = (day - begin) / DAY_MS + 1
  return places.includes(place) || places.includes(place - (end - begin) / DAY_MS - 1)
}

/** A year's first week is the first with four days in it; a day at the turn of the year may be in the other year's week. */
function isInWeek(numbers: readonly number[], day: number, weekStart: number): boolean {
  const begin = weekBegin(day, weekStart)
  const year = new Date(begin + 3 * DAY_MS).getUTCFullYear()
  const first = weekBegin(Date.UTC(year, 0, 4), weekStart)
  const weeks = (weekBegin(Date.UTC(year + 1, 0, 4), weekStart) - first) / (7 * DAY_MS)
  const number = (begin - first) / (7 * DAY_MS) + 1
  return numbers.includes(number) || numbers.includes(number - weeks - 1)
}
