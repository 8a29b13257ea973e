/**
 * The instants of a schedule. Pure: the same spec gives the same instants in every process, so that each replica, the
 * auditor and a test compute one set. Instants are milliseconds since 1970, UTC; local times are the concern of this file's
 * neighbours alone.
 */
import { createHash } from 'node:crypto'
import { ScheduleInvalid } from '#src/errors.ts'
import { cronWalls } from './cron.ts'
import { intervalGrid } from './interval.ts'
import { readInstant, readSpec } from './read-spec.ts'
import { recurrenceWalls } from './recurrence.ts'
import type { DstPolicy, ScheduleSpec } from './spec.ts'
import { instantsOfWalls, type NextInstant } from './wall-instants.ts'
import { MAX_MS, MIN_MS, type Zone, zoneNamed } from './zone.ts'

/** A spec that was checked and can be computed. */
export interface Schedule {
  /** As it was written, in an order of fields that is always the same. */
  readonly spec: ScheduleSpec
  /** The same for two specs exactly if they say the same; 16 hexadecimal digits. */
  readonly hash: string
  /** The zone whose clock it follows; UTC for a grid of elapsed time. */
  readonly zone: Zone
  /** What it does when clocks change; null when they don't concern it. */
  readonly dst: DstPolicy | null
  readonly next: NextInstant
  /** Every instant after `afterMs` up to and including `untilMs`, ascending, one at a time. */
  between(afterMs: number, untilMs: number): Generator<number, void>
}

/**
 * Checks a spec from outside and prepares it.
 * @throws ScheduleInvalid, one sentence on what is wrong; a schedule that never fires is refused too
 */
export function compileSchedule(value: unknown): Schedule {
  const spec = readSpec(value)
  const { next, zone, dst } = unboundedInstants(spec)
  const startMs = Math.max(MIN_MS, readInstant(spec.startAt, 'startAt') ?? MIN_MS)
  const endMs = Math.min(MAX_MS, readInstant(spec.endAt, 'endAt') ?? MAX_MS)
  const bounded: NextInstant = (afterMs) => {
    if (Number.isNaN(afterMs) || afterMs >= endMs) return null
    const found = next(Math.max(Math.floor(afterMs), startMs - 1))
    return found === null || found >= endMs ? null : found
  }
  if (bounded(MIN_MS - 1) === null) throw new ScheduleInvalid('This schedule never fires: correct its dates.')
  return {
    spec,
    hash: createHash('sha256').update(JSON.stringify(spec)).digest('hex').slice(0, 16),
    zone,
    dst,
    next: bounded,
    *between(afterMs, untilMs) {
      for (let at = bounded(afterMs); at !== null && at <= untilMs; at = bounded(at)) yield at
    },
  }
}

/** The next instants after `afterMs`, at most `count`; fewer when the schedule ends. */
export function nextInstants(schedule: Schedule, afterMs: number, count: number): number[] {
  const found: number[] = []
  for (let at = schedule.next(afterMs); at !== null && found.length < count; at = schedule.next(at)) found.push(at)
  return found
}

/** The name of a tick: `job@2026-11-24T00:05:00.000Z`. */
export function tickId(job: string, scheduledForMs: number): string {
  return `${job}@${new Date(scheduledForMs).toISOString()}`
}

function unboundedInstants(spec: ScheduleSpec): { next: NextInstant; zone: Zone; dst: DstPolicy | null } {
  const zone = zoneNamed(spec.timeZone ?? 'UTC')
  if ('everyMs' in spec) {
    const { walls, next } = intervalGrid(spec, zone)
    if (walls === null) return { next, zone, dst: null }
    const dst = dstPolicy(spec, false)
    return { next: instantsOfWalls(walls, zone, dst), zone, dst }
  }
  const { walls, everyHour } = 'cron' in spec ? cronWalls(spec) : recurrenceWalls(spec, zone)
  const dst = dstPolicy(spec, everyHour)
  return { next: instantsOfWalls(walls, zone, dst), zone, dst }
}

/**
 * What fires every hour goes on through a change of clocks as if nothing was; anything else runs once for each local time
 * that it names, in the manner of Vixie's cron.
 */
function dstPolicy({ dst }: ScheduleSpec, everyHour: boolean): DstPolicy {
  return { gap: dst?.gap ?? (everyHour ? 'skip' : 'shift'), fold: dst?.fold ?? (everyHour ? 'both' : 'first') }
}
