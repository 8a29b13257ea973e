/** What the API says of schedules, and how people read it. */
import { formatDuration } from '../config/duration.ts'
import { shortened, shownMs } from './quantities.ts'

export interface TickAnswer {
  readonly scheduledFor: string
  readonly origin: string
  readonly state: string
  readonly reason: string | null
  readonly attempts: number
  readonly owner: string | null
  readonly lateMs: number | null
  readonly decidedAt: string | null
  readonly result: Readonly<Record<string, number>> | null
}

export interface ScheduleAnswer {
  readonly name: string
  readonly state: string
  readonly spec: { cron?: string; everyMs?: number; rrule?: string; timeZone?: string }
  readonly policy: Readonly<Record<string, unknown>>
  readonly version: number
  readonly watermark: string
  readonly next: string | null
  readonly last: TickAnswer | null
  readonly open: number
  readonly owner: string | null
  readonly behindMs: number
  readonly why: string | null
}

/** `every 10m`, `0 9 * * MON-FRI (Europe/Berlin)`. */
export function shownSpec({ cron, everyMs, rrule, timeZone }: ScheduleAnswer['spec']): string {
  const what = cron ?? (everyMs === undefined ? shortened(rrule ?? '', 60) : `every ${formatDuration(everyMs)}`)
  return timeZone === undefined ? what : `${what} (${timeZone})`
}

/** `done at 2026-11-25T17:00:00Z, 3 ms late`. */
export function shownTick(tick: TickAnswer | null): string {
  if (tick === null) return '-'
  const { state, reason, scheduledFor } = tick
  return `${state}${reason === null ? '' : ` (${shortened(reason, 60)})`} ${shownInstant(scheduledFor)}`
}

/** Without milliseconds where there are none. */
export function shownInstant(instant: string | null): string {
  return instant === null ? '-' : instant.replace('.000Z', 'Z')
}

export function shownLateness(tick: TickAnswer | null): string {
  return tick?.lateMs == null ? '-' : shownMs(Math.max(0, tick.lateMs))
}

/** What stands in the way, or that nothing does. */
export function shownBehind({ behindMs, why }: ScheduleAnswer): string {
  return why === null ? '-' : `${shownMs(behindMs)}: ${why}`
}
