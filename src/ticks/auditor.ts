/**
 * Compares what was due with what the ledger has, and closes the gaps: what should run is opened for whoever comes first,
 * the rest is written down with its reason. So ticks go on without Redis too, more coarsely. Then it moves the watermark of
 * each job over what is decided.
 */
import type { Pool, PoolClient } from 'pg'
import type { Log } from '#src/log.ts'
import { type JobRow, listJobs, listVersions } from '#src/store/job/catalog.ts'
import {
  type AuditRow,
  holdSchedules,
  type JobMark,
  listByWatermark,
  listRowsSince,
  moveWatermarks,
  takeAuditTurn,
} from '#src/store/tick/audit.ts'
import { BY_SCHEDULE, type TickKey } from '#src/store/tick/key.ts'
import { openTicks, skipOpenOf, skipTicks } from '#src/store/tick/open.ts'
import { inTransaction } from '#src/store/transaction.ts'
import type { Catalog, KnownJob, KnownVersion } from './catalog.ts'
import { decideVersion } from './decide.ts'
import { dueTicks } from './due.ts'
import { type Loop, startLoop } from './loop.ts'

export interface AuditorOptions {
  readonly catalog: Catalog
  readonly pool: Pool
  readonly log: Log
  /** Whether ticks come by way of Redis just now; if not, the auditor is the one that ticks. */
  isRedisThere(): boolean
  /** Gaps it closed: opened to be run, or skipped. */
  onClosed(opened: number, skipped: number): void
}

/** A tick takes milliseconds to get from its instant to its row; so long after it something went wrong. */
const GRACE_MS = 3_000
const EVERY_MS = 2_000
/** Without Redis the auditor's round is the tick's way. */
const ALONE_GRACE_MS = 0
const ALONE_EVERY_MS = 500
/** Of each job in one round; a longer gap takes several, one right after another. */
const MOST_TICKS = 2_000
/** Rows written in one round, of all jobs: those that are furthest behind come first. */
const MOST_ROWS = 10_000
/** How old the watermark of a job may be that rests. */
const REST_MS = 10_000
const TIMEOUT_MS = 10_000
const PAGE = 50

export function startAuditor({ catalog, pool, log, isRedisThere, onClosed }: AuditorOptions): Loop {
  let goOn = false
  return startLoop('tick-auditor', log, async () => {
    const alone = !isRedisThere()
    const everyMs = alone ? ALONE_EVERY_MS : EVERY_MS
    const found = await inTransaction(pool, TIMEOUT_MS, async (tx) => {
      const nowMs = await takeAuditTurn(tx, goOn ? 0 : everyMs)
      if (nowMs === null) return null
      return auditAll(tx, catalog, nowMs, nowMs - (alone ? ALONE_GRACE_MS : GRACE_MS))
    })
    goOn = found?.more ?? false
    if (found === null) return everyMs * (0.5 + Math.random())
    const { opened, skipped, more, restsForMs } = found
    if (opened + skipped > 0) {
      log.info({ opened, skipped }, 'ticks that were due had no row; they have one now')
      onClosed(opened, skipped)
    }
    return more ? 0 : alone ? everyMs : Math.max(everyMs, restsForMs)
  })
}

interface Found {
  readonly opened: number
  readonly skipped: number
  /** There is more to be looked at. */
  readonly more: boolean
  /** For so long nothing can come that would have to be looked at; 0 when something may be undecided now. */
  readonly restsForMs: number
}

async function auditAll(tx: PoolClient, catalog: Catalog, nowMs: number, untilMs: number): Promise<Found> {
  const all = (await listByWatermark(tx)).filter((mark) => !isAtRest(mark, catalog.jobs.get(mark.job), untilMs))
  let [opened, skipped, more] = [0, 0, false]
  for (let from = 0; from < all.length; from += PAGE) {
    if (opened + skipped >= MOST_ROWS) return { opened, skipped, more: true, restsForMs: 0 }
    const names = all.slice(from, from + PAGE).map(({ job }) => job)
    await holdSchedules(tx, names)
    const page = await listJobs(tx, names)
    const since = page.map(({ job, watermarkMs }) => ({ job, sinceMs: watermarkMs }))
    const rows = await listRowsSince(tx, since, MOST_TICKS)
    const versions = await listVersions(tx, since)
    const audits = page.map((job) => {
      const history = (versions.get(job.job) ?? []).flatMap((version) => catalog.ready(version) ?? [])
      return auditJob(job, history, rows.get(job.job) ?? [], nowMs, untilMs)
    })
    const open = audits.flatMap((audit) => audit.open)
    const skip = audits.flatMap((audit) => audit.skip)
    if (open.length > 0) opened += await openTicks(tx, open)
    if (skip.length > 0) skipped += await skipTicks(tx, skip)
    const removed = page.filter(({ state }) => state === 'removed').map(({ job }) => job)
    if (removed.length > 0) skipped += await skipOpenOf(tx, removed, 'removed')
    await moveWatermarks(tx, audits)
    more ||= audits.some((audit) => audit.more)
  }
  return { opened, skipped, more, restsForMs: all.length > 0 ? 0 : untilNextMs(catalog, nowMs) }
}

/** Until the next instant of any job, at most `REST_MS`. It is looked at then, in case that Redis is away. */
function untilNextMs(catalog: Catalog, nowMs: number): number {
  const next = [...catalog.jobs.values()].map(({ schedule }) => schedule.next(nowMs) ?? Number.POSITIVE_INFINITY)
  return Math.min(REST_MS, ...next.map((ms) => ms - nowMs))
}

/**
 * Nothing of a job can be undecided: none of its instants came since its watermark, by the very version in force. Its watermark
 * is then moved only now and then.
 */
function isAtRest({ version, watermarkMs }: JobMark, known: KnownJob | undefined, untilMs: number): boolean {
  if (known === undefined || known.version !== version || known.state === 'removed') return false
  if (watermarkMs < known.validFromMs || untilMs - watermarkMs > REST_MS) return false
  const next = known.schedule.next(watermarkMs)
  return next === null || next > untilMs
}

interface JobAudit {
  readonly job: string
  readonly open: readonly TickKey[]
  readonly skip: readonly (TickKey & { readonly reason: string })[]
  readonly watermarkMs: number
  readonly more: boolean
}

/**
 * One job: pure. The watermark goes up to where the first undecided tick is, else to `untilMs`; what is skipped here is
 * decided by the statement that follows.
 * @param rows those after the watermark, ascending, at most `MOST_TICKS`
 */
export function auditJob(
  { job, state, watermarkMs }: Pick<JobRow, 'job' | 'state' | 'watermarkMs'>,
  history: readonly KnownVersion[],
  rows: readonly AuditRow[],
  nowMs: number,
  untilMs: number,
): JobAudit {
  const found = new Map(rows.map((row) => [row.scheduledForMs, row.isFinal]))
  // Behind the last row that was read there may be others: no further than that.
  const endMs = rows.length < MOST_TICKS ? untilMs : Math.min(untilMs, rows.at(-1)?.scheduledForMs ?? untilMs)
  const open: TickKey[] = []
  const skip: (TickKey & { reason: string })[] = []
  let decidedMs = watermarkMs
  let undecided = false
  let looked = 0
  for (const { scheduledForMs, version } of dueTicks(history, watermarkMs, endMs)) {
    if (looked++ >= MOST_TICKS) return { job, open, skip, watermarkMs: decidedMs, more: !undecided || skip.length > 0 }
    const isFinal = found.get(scheduledForMs)
    if (isFinal === undefined) {
      const key = { job, scheduledForMs, origin: BY_SCHEDULE }
      const decision = decideVersion({ ...version, ...(state === 'removed' && { state }) }, scheduledForMs, nowMs)
      if (decision.what === 'skip') skip.push({ ...key, reason: decision.reason })
      else {
        open.push(key)
        undecided = true
      }
    } else if (!isFinal) undecided = true
    if (!undecided) decidedMs = scheduledForMs
  }
  const more = endMs < untilMs && !undecided
  return {
    job,
    open,
    skip,
    watermarkMs: undecided ? decidedMs : Math.max(watermarkMs, lastDecided(history, endMs)),
    more,
  }
}

/** With nothing undecided the watermark is where the look ended, but for ticks whose jitter holds them back. */
function lastDecided(history: readonly KnownVersion[], endMs: number): number {
  const longest = Math.max(0, ...history.map(({ policy }) => policy.jitterMs))
  return endMs - longest
}
