/**
 * When cron expressions fire, found by trying: every day of the calendar, every minute of the day, every offset that the zone
 * had around it. Shares no code and no method with `src/scheduler/`.
 */

/** The changes of a zone's offset, ascending; found by looking at every hour, then at every minute of the hour. */
export interface ZoneTable {
  readonly timeZone: string
  readonly first: number
  readonly changes: readonly { readonly at: number; readonly before: number; readonly after: number }[]
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

export function zoneTable(timeZone: string, from: number, to: number): ZoneTable {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  const offsetAt = (at: number) => {
    const [month = 0, day = 0, year = 0, hour = 0, minute = 0, second = 0] = format.format(at).split(/\D+/).map(Number)
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000
  }
  const changes: { at: number; before: number; after: number }[] = []
  const first = offsetAt(from)
  let before = first
  for (let hour = from; hour < to; hour += HOUR) {
    if (offsetAt(hour + HOUR) === before) continue
    for (let at = hour; at <= hour + HOUR; at += MINUTE) {
      const after = offsetAt(at)
      if (after !== before) changes.push({ at, before, after })
      before = after
    }
  }
  return { timeZone, first, changes }
}

export interface Answers {
  readonly gap: 'shift' | 'skip'
  readonly fold: 'first' | 'last' | 'both'
}

/** Every instant in [from, to) at which a cron expression of five fields fires, ascending. */
export function bruteForce(cron: string, zone: ZoneTable, answers: Answers, from: number, to: number): number[] {
  const [minutes, hours, days, months, weekdays] = cron.split(' ') as [string, string, string, string, string]
  const times: number[] = []
  for (let minute = 0; minute < 1440; minute++)
    if (matches(minutes, minute % 60, 0, 59) && matches(hours, Math.floor(minute / 60), 0, 23)) times.push(minute)
  const found = new Set<number>()
  for (let day = Math.floor(from / DAY) * DAY - 2 * DAY; day < to + 2 * DAY; day += DAY) {
    const date = new Date(day)
    if (!matches(months, date.getUTCMonth() + 1, 1, 12)) continue
    const onDay = matches(days, date.getUTCDate(), 1, 31)
    const onWeekday =
      matches(weekdays, date.getUTCDay(), 0, 7) || (date.getUTCDay() === 0 && matches(weekdays, 7, 0, 7))
    if (days !== '*' && weekdays !== '*' ? !(onDay || onWeekday) : !(onDay && onWeekday)) continue
    for (const minute of times)
      for (const instant of instantsOf(day + minute * MINUTE, zone, answers))
        if (instant >= from && instant < to) found.add(instant)
  }
  return [...found].sort((a, b) => a - b)
}

function matches(field: string, value: number, low: number, high: number): boolean {
  return field.split(',').some((item) => {
    const [range = '', step = '1'] = item.split('/')
    const [begin = low, end = begin] = range === '*' ? [low, high] : range.split('-').map(Number)
    return value >= begin && value <= end && (value - begin) % Number(step) === 0
  })
}

function instantsOf(wall: number, { first, changes }: ZoneTable, { gap, fold }: Answers): number[] {
  const instants: number[] = []
  const near = nearby(changes, wall)
  const begins = near.at(0)?.before ?? changes.findLast(({ at }) => at <= wall)?.after ?? first
  const offsetAt = (at: number) => near.findLast((change) => change.at <= at)?.after ?? begins
  for (const offset of new Set([begins, ...near.map(({ after }) => after)]))
    if (offsetAt(wall - offset) === offset) instants.push(wall - offset)
  instants.sort((a, b) => a - b)
  if (instants.length > 1 && fold !== 'both') return fold === 'first' ? instants.slice(0, 1) : instants.slice(-1)
  if (instants.length > 0 || gap === 'skip') return instants
  const skipped = near.find(({ at, before, after }) => wall >= at + before && wall < at + after)
  return skipped === undefined ? [] : [wall - skipped.before]
}

/** The changes within two days; by halving, since this is asked millions of times. */
function nearby(changes: ZoneTable['changes'], wall: number): ZoneTable['changes'] {
  let low = 0
  let high = changes.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((changes[middle]?.at ?? 0) < wall - 2 * DAY) low = middle + 1
    else high = middle
  }
  let end = low
  while ((changes[end]?.at ?? Number.POSITIVE_INFINITY) <= wall + 2 * DAY) end++
  return changes.slice(low, end)
}
