/**
 * Schedules: when something is due, in every process the same. A spec says it (cron, interval, recurrence), `compileSchedule`
 * computes it; policies say what becomes of a tick. This room is pure: it reads no clock, no server and no environment.
 */

export { type ClockChange, clockChanges, type ShownInstant, showInstant } from './notes.ts'
export { type CatchUp, catchUp, JobPolicy, jitterOf, readPolicy, retryDelayMs, type Waiting } from './policy.ts'
export { compileSchedule, nextInstants, type Schedule, tickId } from './schedule.ts'
export {
  CronSpec,
  Dst,
  type DstPolicy,
  IntervalSpec,
  MAX_EVERY_MS,
  MAX_TEXT,
  RecurrenceSpec,
  type ScheduleSpec,
} from './spec.ts'
export { tzVersion } from './zone.ts'
