/**
 * Puts ticks into the stream when they are due, by the clock of Redis. Every process does so and none leads: each call
 * compares and sets, so of several that come at once one emits and the others learn what is next. It sleeps until then.
 */
import type { EmitJob, TickInstant, TickStream } from '#src/bus/ticks.ts'
import type { Log } from '#src/log.ts'
import { jitterOf } from '#src/scheduler/index.ts'
import type { Catalog, KnownJob } from './catalog.ts'
import { countNewer, latestInstant } from './job.ts'
import { type Loop, startLoop } from './loop.ts'

export interface EmitterOptions {
  readonly stream: Pick<TickStream, 'emit' | 'forget'>
  readonly catalog: Catalog
  readonly log: Log
  onEmit(emitted: number): void
  /** How far the clock of Redis is ahead of this process's. */
  onSkew(aheadMs: number): void
}

/** An instant that never comes: what follows the last one of a schedule, or one that is paused. Beyond the year 2300. */
const NEVER_MS = 1e14
/** Jobs in one call: 1,000 due ones take Redis 3 to 4 ms. */
const MOST_JOBS = 1_000
/** Instants of one job in one call that may be emitted; the rest of a backlog comes with the next call. */
const MOST_INSTANTS = 20
/** Who was slower the last time lets the faster one go first, so that in the long run one process does the work. */
const YIELD_MS = 20
/** A version that Redis knows is in Postgres already: it comes from there. */
const LOST_AFTER_MS = 5_000

interface Place {
  readonly version: number
  /** Null: not known, to be asked. */
  readonly nextMs: number | null
}

export function startEmitter({ stream, catalog, log, onEmit, onSkew }: EmitterOptions): Loop {
  const places = new Map<string, Place>()
  let clock: { readonly redisMs: number; readonly atMs: number } | null = null
  let yieldMs = 0
  const outdated = new Map<string, number>() // since when Redis says that our version is old

  async function redisNow(): Promise<number> {
    if (clock === null) await call([])
    return expectedNow()
  }

  /** By the monotonic clock of this process since the last answer: the process's own time of day plays no part. */
  function expectedNow(): number {
    return clock === null ? 0 : clock.redisMs + performance.now() - clock.atMs
  }

  async function call(jobs: readonly EmitJob[]) {
    const reply = await stream.emit(jobs)
    clock = { redisMs: reply.nowMs, atMs: performance.now() }
    onSkew(reply.nowMs - Date.now())
    return reply
  }

  const emitAt = (job: KnownJob, ms: number) => (ms === NEVER_MS ? ms : ms + jitterOf(job.job, ms, job.policy.jitterMs))
  const placeOf = (job: KnownJob): Place => {
    const place = places.get(job.job)
    return place?.version === job.version ? place : { version: job.version, nextMs: null }
  }
  const dueAt = (job: KnownJob) => {
    const { nextMs } = placeOf(job)
    return nextMs === null ? 0 : emitAt(job, nextMs)
  }

  /** What to offer: the instants that may be due, and one that isn't. */
  function offer(job: KnownJob, nowMs: number): EmitJob {
    const { nextMs } = placeOf(job)
    const instants: TickInstant[] = []
    const add = (scheduledForMs: number) => instants.push({ scheduledForMs, emitAtMs: emitAt(job, scheduledForMs) })
    if (job.state === 'active') {
      const first = nextMs ?? job.schedule.next(Math.max(job.validFromMs, job.watermarkMs))
      let at = first === null || first === NEVER_MS ? null : withoutBacklog(job, first, nowMs)
      for (; at !== null && instants.length <= MOST_INSTANTS; at = job.schedule.next(at)) {
        add(at)
        if (at > nowMs) break
      }
      if (at === null) add(NEVER_MS)
    } else add(NEVER_MS)
    return { job: job.job, version: job.version, expectedMs: nextMs, instants }
  }

  async function turn(): Promise<number> {
    const nowMs = await redisNow()
    const due = [...catalog.jobs.values()].filter((job) => dueAt(job) <= nowMs)
    let emitted = 0
    let moved = 0
    const old: KnownJob[] = []
    let lost = false
    for (let from = 0; from < due.length; from += MOST_JOBS) {
      const batch = due.slice(from, from + MOST_JOBS)
      const reply = await call(batch.map((job) => offer(job, nowMs)))
      for (const [index, job] of batch.entries()) {
        const result = reply.jobs[index]
        if (result === undefined) continue
        emitted += result.emitted
        if (result.status === 'moved') moved++
        if (result.status === 'old') old.push(job)
        else outdated.delete(job.job)
        if (result.status === 'unknown') lost = true
        const nextMs = result.status === 'unknown' || result.status === 'old' ? null : result.nextMs
        places.set(job.job, { version: job.version, nextMs })
      }
    }
    for (const job of places.keys()) if (!catalog.jobs.has(job)) places.delete(job)
    if (emitted > 0) onEmit(emitted)
    if (moved > 0) yieldMs = emitted > 0 ? 0 : YIELD_MS * (0.5 + Math.random())
    else if (emitted > 0) yieldMs = 0
    // What Redis does not know any more begins anew behind what the ledger has decided, never from now.
    if (old.length > 0 || lost) await catalog.refresh(lost)
    await forgetUnknownVersions(old)
    return untilNext(old.length > 0)
  }

  /** A version that Postgres does not show for long was lost with its last commits: Redis has to forget it, or wait for ever. */
  async function forgetUnknownVersions(jobs: readonly KnownJob[]): Promise<void> {
    for (const { job, version } of jobs) {
      if (catalog.jobs.get(job)?.version !== version) outdated.delete(job)
      const sinceMs = outdated.get(job) ?? performance.now()
      outdated.set(job, sinceMs)
      if (performance.now() - sinceMs < LOST_AFTER_MS) continue
      await stream.forget(job)
      outdated.delete(job)
    }
  }

  function untilNext(stale: boolean): number {
    let earliestMs = Number.POSITIVE_INFINITY
    for (const job of catalog.jobs.values()) earliestMs = Math.min(earliestMs, dueAt(job))
    // A version that Redis knows and Postgres doesn't show yet: soon.
    if (earliestMs === 0) return stale ? 100 : 0
    const waitMs = earliestMs - expectedNow()
    return waitMs <= 0 ? 0 : waitMs + yieldMs
  }

  return startLoop('tick-emitter', log, turn)
}

/**
 * Where to go on after a standstill. What the policy will not run is not emitted either: the auditor writes down that it
 * was left out.
 */
function withoutBacklog(job: KnownJob, firstMs: number, nowMs: number): number {
  const { schedule, policy } = job
  const most = policy.catchUp === 'all' ? policy.maxCatchUp : 1
  if (countNewer(schedule, firstMs, nowMs, most) < most) return firstMs
  if (policy.catchUp !== 'all') return latestInstant(schedule, nowMs) ?? firstMs
  let backMs = nowMs - firstMs
  let start = firstMs
  while (backMs > 1) {
    backMs = Math.floor(backMs / 2)
    const at = schedule.next(nowMs - backMs - 1)
    if (at === null || at > nowMs || countNewer(schedule, at, nowMs, most) < most - 1) break
    start = at
  }
  return start
}
