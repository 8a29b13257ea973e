/**
 * Compares what was due with what the ledger has, and closes the gaps: what should run is opened for whoever comes first,
 * the rest is written down with its reason. So ticks go on without Redis too, more coarsely. Then it moves the watermark of
 * each job over what is decided.
 */
import type { Pool, PoolClient } from 'pg'
import type { Log } from '#src/log.ts'
import { listJobs, listVersions } from '#src/store/job/catalog.ts'
import {
  firstUnfinished,
  holdSchedules,
  type JobMark,
  listByWatermark,
  listRowsSince,
  moveWatermarks,
  takeAuditTurn,
} from '#src/store/tick/audit.ts'
import { openTicks, skipOpenOf, skipTicks } from '#src/store/tick/open.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { auditJob, MOST_TICKS } from './audit-job.ts'
import { createSeen, type Seen } from './audit-seen.ts'
import type { Catalog, KnownJob } from './catalog.ts'
import { createDecider } from './decide.ts'
import { type Loop, startLoop } from './loop.ts'
import { dueTime } from './newest.ts'

export interface AuditorOptions {
  readonly catalog: Catalog
  readonly pool: Pool
  readonly log: Log
  /** Whether ticks come by way of Redis just now; if not, the auditor is the one that ticks. */
  isRedisThere(): boolean
  /** Called with each round: whether it goes on without Redis. */
  onRound(alone: boolean): void
  /** Gaps it closed: opened to be run, or skipped. */
  onClosed(opened: number, skipped: number): void
}

/** A tick takes milliseconds to get from its instant to its row; so long after it something went wrong. */
const GRACE_MS = 3_000
const EVERY_MS = 2_000
/** Without Redis the auditor's round is the tick's way. */
const ALONE_GRACE_MS = 0
const ALONE_EVERY_MS = 500
/** Rows written in one round, of all jobs: those that are furthest behind come first. */
const MOST_ROWS = 10_000
/** How old the watermark of a job may be that rests. */
const REST_MS = 10_000
const TIMEOUT_MS = 10_000
const PAGE = 50

export function startAuditor({ catalog, pool, log, isRedisThere, onRound, onClosed }: AuditorOptions): Loop {
  const seen = createSeen()
  let goOn = false
  return startLoop('tick-auditor', log, async () => {
    const alone = !isRedisThere()
    onRound(alone)
    const everyMs = alone ? ALONE_EVERY_MS : EVERY_MS
    const graceMs = alone ? ALONE_GRACE_MS : GRACE_MS
    const audit = inTransaction(pool, TIMEOUT_MS, async (tx) => {
      const nowMs = await takeAuditTurn(tx, goOn ? 0 : everyMs)
      return nowMs === null ? null : auditAll(tx, catalog, seen, nowMs, nowMs - graceMs)
    })
    const found = await audit.catch((error: Error) => {
      seen.forget() // what was to be written may not have been
      throw error
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

async function auditAll(tx: PoolClient, catalog: Catalog, seen: Seen, nowMs: number, untilMs: number): Promise<Found> {
  const marks = await listByWatermark(tx)
  const all = marks.filter((mark) => !isAtRest(mark, catalog.jobs.get(mark.job), untilMs))
  const decider = createDecider(nowMs)
  let [opened, skipped, more] = [0, 0, false]
  for (let from = 0; from < all.length; from += PAGE) {
    if (opened + skipped >= MOST_ROWS) return { opened, skipped, more: true, restsForMs: 0 }
    const names = all.slice(from, from + PAGE).map(({ job }) => job)
    await holdSchedules(tx, names)
    const page = await listJobs(tx, names)
    const since = page.map(({ job, watermarkMs }) => ({ job, watermarkMs, sinceMs: seen.of(job, watermarkMs) }))
    const unfinished = await firstUnfinished(tx, since)
    const rows = await listRowsSince(tx, since, MOST_TICKS)
    const versions = await listVersions(tx, since)
    const audits = page.map((job, index) => {
      const history = (versions.get(job.job) ?? []).flatMap((version) => catalog.ready(version) ?? [])
      const start = { fromMs: since[index]?.sinceMs ?? job.watermarkMs, openMs: unfinished.get(job.job) ?? null }
      return auditJob(job, start, history, rows.get(job.job) ?? [], decider, untilMs)
    })
    const open = audits.flatMap((audit) => audit.open)
    const skip = audits.flatMap((audit) => audit.skip)
    if (open.length > 0) opened += await openTicks(tx, open)
    if (skip.length > 0) skipped += await skipTicks(tx, skip)
    const removed = page.filter(({ state }) => state === 'removed').map(({ job }) => job)
    if (removed.length > 0) skipped += await skipOpenOf(tx, removed, 'removed')
    await moveWatermarks(tx, audits)
    for (const { job, seenMs } of audits) seen.note(job, seenMs)
    more ||= audits.some((audit) => audit.more)
  }
  return { opened, skipped, more, restsForMs: all.length > 0 ? 0 : untilNextMs(catalog, marks, untilMs) }
}

/** Until the next tick of any job is old enough to be looked at, at most `REST_MS`. */
function untilNextMs(catalog: Catalog, marks: readonly JobMark[], untilMs: number): number {
  const next = marks.map(({ job, watermarkMs }) => nextDueMs(catalog.jobs.get(job), watermarkMs))
  return next.reduce((soonestMs, ms) => Math.min(soonestMs, ms - untilMs), REST_MS)
}

/** When the tick comes due that is next after a watermark. */
function nextDueMs(job: KnownJob | undefined, watermarkMs: number): number {
  const next = job === undefined || job.state === 'removed' ? null : job.schedule.next(watermarkMs)
  return job === undefined || next === null ? Number.POSITIVE_INFINITY : dueTime(job, next)
}

/**
 * Nothing of a job can be undecided: none of its ticks came due since its watermark, by the very version in force. Its watermark
 * is then moved only now and then, unless a tick is held back right behind it; that of a removed one never again.
 */
function isAtRest(mark: JobMark, known: KnownJob | undefined, untilMs: number): boolean {
  const { version, watermarkMs, unfinished } = mark
  if (known === undefined || known.version !== version || watermarkMs < known.validFromMs) return false
  if (known.state === 'removed') return !unfinished
  if (nextDueMs(known, watermarkMs) <= untilMs) return false
  return untilMs - watermarkMs <= REST_MS || known.schedule.next(watermarkMs) === watermarkMs + 1
}
