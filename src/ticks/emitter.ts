/**
 * Puts ticks into the stream when they are due, by the clock of Redis. Every process does so and none leads: each call
 * compares and sets, so of several that come at once one emits and the others learn what is next. It sleeps until then.
 */
import type { EmitJob, TickInstant, TickStream } from '#src/bus/ticks.ts'
import type { Log } from '#src/log.ts'
import { jitterOf } from '#src/scheduler/index.ts'
import type { Catalog, KnownJob } from './catalog.ts'
import type { DatabaseClock } from './database-clock.ts'
import { type Loop, startLoop } from './loop.ts'
import { newestTicks } from './newest.ts'

export interface EmitterOptions {
  readonly stream: Pick<TickStream, 'emit' | 'forget'>
  readonly catalog: Catalog
  /** Of Postgres, by which ticks are taken. */
  readonly clock: Pick<DatabaseClock, 'estimate'>
  readonly log: Log
  onEmit(emitted: number): void
  /** Redis is away, or not to be followed. */
  onTrouble(): void
  /** How far the clock of Redis is ahead of this process's. */
  onSkew(aheadMs: number): void
}

/** An instant that never comes: what follows the last one of a schedule, or one that is paused. Beyond the year 2300. */
const NEVER_MS = 1e14
/** Instants in one call, of which all but one of each job may be emitted: 1,000 due jobs offer 2,000, and take Redis 3 to 4 ms. */
const MOST_OFFERED = 2_000
/** Of one job in one call; the rest of a backlog comes with the next one. */
const MOST_INSTANTS = 20
/** Beyond this the clock of Redis is wrong, or that of Postgres: ticks would wait, or come late, by as much. */
const MOST_SKEW_MS = 5_000
/** Who was slower the last time lets the faster one go first, so that in the long run one process does the work. */
const YIELD_MS = 20
/** A version that Redis knows is in Postgres already: it comes from there. */
const LOST_AFTER_MS = 5_000

interface Place {
  readonly version: number
  /** Null: not known, to be asked. */
  readonly nextMs: number | null
}

export function startEmitter({
  stream,
  catalog,
  clock: database,
  log,
  onEmit,
  onTrouble,
  onSkew,
}: EmitterOptions): Loop {
  const places = new Map<string, Place>()
  let clock: { readonly redisMs: number; readonly atMs: number } | null = null
  let yieldMs = 0
  const outdated = new Map<string, number>() // since when Redis says that our version is old

  async function redisNow(): Promise<number> {
    if (clock === null || isSkewed()) await call([])
    // Until the clocks agree the auditor ticks, by that of Postgres.
    if (isSkewed()) throw new Error(clocksDiffer(aheadMs()))
    return expectedNow()
  }

  function aheadMs(): number {
    const databaseMs = database.estimate()
    return databaseMs === null ? 0 : expectedNow() - databaseMs
  }

  function isSkewed(): boolean {
    return Math.abs(aheadMs()) > MOST_SKEW_MS
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
    for (const batch of inCalls(due.map((job) => ({ job, offered: offer(job, nowMs) })))) {
      const reply = await call(batch.map(({ offered }) => offered))
      for (const [index, { job }] of batch.entries()) {
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

  return startLoop('tick-emitter', log, turn, { onTrouble })
}

function clocksDiffer(aheadMs: number): string {
  const seconds = Math.round(Math.abs(aheadMs) / 1_000)
  const how = aheadMs > 0 ? 'ahead of' : 'behind'
  return `The clock of Redis is ${seconds} s ${how} that of Postgres, so ticks go by Postgres alone: set both servers' clocks.`
}

/** As many of them in each call as it may have instants. */
function* inCalls<Each extends { readonly offered: EmitJob }>(all: readonly Each[]): Generator<Each[]> {
  let batch: Each[] = []
  let instants = 0
  for (const each of all) {
    const count = each.offered.instants.length
    if (batch.length > 0 && instants + count > MOST_OFFERED) {
      yield batch
      ;[batch, instants] = [[], 0]
    }
    batch.push(each)
    instants += count
  }
  if (batch.length > 0) yield batch
}

/**
 * Where to go on after a standstill. What the policy will not run is not emitted either: the auditor writes down that it
 * was left out.
 */
function withoutBacklog(job: KnownJob, firstMs: number, nowMs: number): number {
  const next = job.schedule.next(firstMs)
  if (next === null || next > nowMs) return firstMs
  const { fromMs } = newestTicks(job, nowMs, job.policy.catchUp === 'all' ? job.policy.maxCatchUp : 1)
  return Math.max(firstMs, fromMs)
}
