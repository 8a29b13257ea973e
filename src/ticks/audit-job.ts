/** Compares what was due of one job with the rows that there are. Pure. */
import type { JobRow } from '#src/store/job/catalog.ts'
import type { AuditRow } from '#src/store/tick/audit.ts'
import { BY_SCHEDULE, type TickKey } from '#src/store/tick/key.ts'
import type { KnownVersion } from './catalog.ts'
import type { Decider } from './decide.ts'
import { instantsOf } from './due.ts'
import { dueTime } from './newest.ts'

/** Of each job in one round; a longer gap takes several, one right after another. */
export const MOST_TICKS = 2_000

/** What is known of a job before its rows are compared. */
export interface AuditStart {
  /** Up to here every tick that was due has a row: the watermark, or further than that when an earlier round got there. */
  readonly fromMs: number
  /** The first instant up to `fromMs` whose row has no outcome; null when all have one. */
  readonly openMs: number | null
}

export interface JobAudit {
  readonly job: string
  /** To be written: ticks without a row, those to be run and those that will not be. */
  readonly open: readonly TickKey[]
  readonly skip: readonly (TickKey & { readonly reason: string })[]
  /** Up to here every tick has an outcome, once what is to be written is. */
  readonly watermarkMs: number
  /** Up to here every tick that was due has a row then. */
  readonly seenMs: number
  /** There is more to be compared. */
  readonly more: boolean
}

/**
 * @param history those versions that hold for instants after `fromMs`, oldest first
 * @param rows those after `fromMs`, ascending, at most `MOST_TICKS`
 * @param untilMs up to when ticks came due that are looked at
 */
export function auditJob(
  { job, state }: Pick<JobRow, 'job' | 'state'>,
  { fromMs, openMs }: AuditStart,
  history: readonly KnownVersion[],
  rows: readonly AuditRow[],
  decider: Decider,
  untilMs: number,
): JobAudit {
  const found = new Map(rows.map((row) => [row.scheduledForMs, row.isFinal]))
  // Behind the last row that was read there may be others: no further than that in this round.
  const endMs = rows.length < MOST_TICKS ? untilMs : Math.min(untilMs, rows.at(-1)?.scheduledForMs ?? untilMs)
  const open: TickKey[] = []
  const skip: (TickKey & { reason: string })[] = []
  let firstOpenMs = openMs
  let lookedAt = 0
  let lastMs = fromMs
  let [seenMs, more] = [Math.max(fromMs, endMs), endMs < untilMs]
  for (const { scheduledForMs, version } of instantsOf(history, fromMs, endMs)) {
    const isHeldBack = dueTime(version, scheduledForMs) > untilMs
    if (isHeldBack || lookedAt++ >= MOST_TICKS) {
      // By its jitter: it is looked at when it comes due, and so is what follows.
      ;[seenMs, more] = [isHeldBack ? scheduledForMs - 1 : lastMs, !isHeldBack]
      break
    }
    lastMs = scheduledForMs
    const isFinal = found.get(scheduledForMs)
    if (isFinal) continue
    const key = { job, scheduledForMs, origin: BY_SCHEDULE }
    const decision =
      state === 'removed' ? ({ what: 'skip', reason: state } as const) : decider.decideVersion(version, scheduledForMs)
    if (isFinal === undefined && decision.what === 'skip') skip.push({ ...key, reason: decision.reason })
    else firstOpenMs ??= scheduledForMs
    if (isFinal === undefined && decision.what === 'run') open.push(key)
  }
  return { job, open, skip, watermarkMs: firstOpenMs === null ? seenMs : firstOpenMs - 1, seenMs, more }
}
