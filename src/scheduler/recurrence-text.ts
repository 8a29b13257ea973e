/**
 * The lines of a recurrence, read more strictly than its library does: that one takes unknown parts, wrong numbers and the
 * 30th of February without a word.
 */
import { ScheduleInvalid } from '#src/errors.ts'
import { MAX_MS, MIN_MS, type Zone } from './zone.ts'

/** Dates are local times of the schedule's zone. */
export interface RecurrenceText {
  readonly startWall: number
  /** The parts of each rule, names in capitals; at least one unless there are dates. */
  readonly rules: readonly ReadonlyMap<string, string>[]
  readonly dates: readonly number[]
  readonly exceptions: ReadonlySet<number>
}

/** What Prefect begins with when nothing is said. */
const DEFAULT_START = Date.UTC(2020, 0, 1)
const MAX_RULES = 20

const WHOLE = '[+-]?\\d+'
const list = (item: string) => new RegExp(`^${item}(,${item})*$`)
const PARTS: Readonly<Record<string, RegExp>> = {
  FREQ: /^(YEARLY|MONTHLY|WEEKLY|DAILY|HOURLY|MINUTELY|SECONDLY)$/,
  INTERVAL: /^\d{1,6}$/,
  COUNT: /^\d{1,5}$/,
  UNTIL: /^\d{8}(T\d{6}Z?)?$/,
  WKST: /^(MO|TU|WE|TH|FR|SA|SU)$/,
  BYDAY: list(`(${WHOLE})?(MO|TU|WE|TH|FR|SA|SU)`),
}
/** The largest number of each list; those from the year or month's end may be negative. */
const NUMBERS: Readonly<Record<string, { readonly least: number; readonly most: number; readonly signed: boolean }>> = {
  BYMONTH: { least: 1, most: 12, signed: false },
  BYMONTHDAY: { least: 1, most: 31, signed: true },
  BYYEARDAY: { least: 1, most: 366, signed: true },
  BYWEEKNO: { least: 1, most: 53, signed: true },
  BYHOUR: { least: 0, most: 23, signed: false },
  BYMINUTE: { least: 0, most: 59, signed: false },
  BYSECOND: { least: 0, most: 59, signed: false },
  BYSETPOS: { least: 1, most: 366, signed: true },
}

/** @throws ScheduleInvalid, naming the line or the part */
export function readRecurrence(text: string, zone: Zone): RecurrenceText {
  const rules: ReadonlyMap<string, string>[] = []
  const dates: number[] = []
  const exceptions = new Set<number>()
  let startWall = DEFAULT_START
  for (const line of text.split(/\r?\n/).map((line) => line.trim())) {
    if (line === '') continue
    const [, name = 'RRULE', options = '', value = line] = /^([A-Z]+)((?:;[^:]*)?):(.*)$/i.exec(line) ?? []
    const zoned = /;TZID=([^;]+)/i.exec(options)?.[1]
    if (zoned !== undefined && zoned !== zone.name)
      refuse(`TZID ${zoned} is not the schedule's time zone ${zone.name}: set timeZone to ${zoned}`)
    const times = () => value.split(',').map((item) => readWall(item, zone))
    const kind = name.toUpperCase()
    if (kind === 'RRULE') rules.push(readParts(value))
    else if (kind === 'DTSTART') startWall = readWall(value, zone)
    else if (kind === 'RDATE') dates.push(...times())
    else if (kind === 'EXDATE') for (const wall of times()) exceptions.add(wall)
    else refuse(`${kind} is not among DTSTART, RRULE, RDATE and EXDATE`)
  }
  if (rules.length === 0 && dates.length === 0) refuse('it has neither RRULE nor RDATE')
  if (rules.length > MAX_RULES) refuse(`it has ${rules.length} rules, more than ${MAX_RULES}`)
  return { startWall, rules, dates: dates.sort((a, b) => a - b), exceptions }
}

/** A local time `20261124T090000` or `20261124`; one with Z is brought to the zone. @throws ScheduleInvalid */
export function readWall(text: string, zone: Zone): number {
  const [, date = '', hours = '00', minutes = '00', seconds = '00', utc] =
    /^(\d{8})(?:T(\d\d)(\d\d)(\d\d)(Z?))?$/i.exec(text.trim()) ?? []
  const iso = `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}T${hours}:${minutes}:${seconds}.000Z`
  const ms = Date.parse(iso)
  if (Number.isNaN(ms) || new Date(ms).toISOString() !== iso)
    refuse(`'${text}' is not a time of the calendar: write it as 20261124T090000`)
  if (ms < MIN_MS || ms >= MAX_MS) refuse(`'${text}' is not in the years 1900 to 2299`)
  return utc ? ms + zone.offsetAt(ms) : ms
}

function readParts(value: string): ReadonlyMap<string, string> {
  const parts = new Map<string, string>()
  for (const part of value.split(';').filter((part) => part.trim() !== '')) {
    const [name = '', setting = ''] = part.split('=').map((side) => side.trim().toUpperCase())
    const known = name === 'BYWEEKDAY' ? 'BYDAY' : name
    if (!isAllowed(known, setting)) refuse(`${part.trim()} is not a part of a rule`)
    if (parts.has(known)) refuse(`${known} is given twice`)
    parts.set(known, setting)
  }
  if (!parts.has('FREQ')) refuse('a rule needs FREQ, such as FREQ=DAILY')
  if (parts.has('COUNT') && parts.has('UNTIL')) refuse('COUNT and UNTIL exclude each other')
  if (Number(parts.get('INTERVAL') ?? 1) === 0) refuse('INTERVAL is at least 1')
  if (Number(parts.get('COUNT') ?? 1) === 0) refuse('COUNT is at least 1')
  return parts
}

function isAllowed(name: string, value: string): boolean {
  const numbers = NUMBERS[name]
  if (numbers === undefined) return PARTS[name]?.test(value) ?? false
  const { least, most, signed } = numbers
  return value.split(',').every((item) => {
    const size = Math.abs(Number(item))
    return /^[+-]?\d+$/.test(item) && (signed || !item.startsWith('-')) && size >= least && size <= most
  })
}

function refuse(reason: string): never {
  throw new ScheduleInvalid(`The recurrence can't be read: ${reason}.`)
}
