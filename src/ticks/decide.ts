/** What becomes of a tick: run, or skipped with its reason. From the schedule's history and one clock. */
import { catchUp } from '#src/scheduler/index.ts'
import { BY_SCHEDULE, type TickKey } from '#src/store/tick/key.ts'
import type { Catalog, KnownVersion } from './catalog.ts'
import { dueTime, type Newest, newestTicks } from './newest.ts'

/** A tick no older than this was not missed: the auditor closes a gap within some seconds. */
export const MISSED_AFTER_MS = 30_000

/**
 * `run`; `skip` with the reason; or `none`: the schedule has no such instant, so there must be no row. `version` is the one in
 * force by which it was decided.
 */
export type Decision =
  | { readonly what: 'run'; readonly version?: number }
  | { readonly what: 'none' }
  | { readonly what: 'skip'; readonly reason: string; readonly version?: number }

/** Decides on ticks of one moment, so that what holds for all ticks of a schedule is computed once. */
export interface Decider {
  /** For an instant that is known to be of this version. */
  decideVersion(version: KnownVersion, scheduledForMs: number): Decision
  /** For any tick. */
  decideTick(catalog: Catalog, key: TickKey): Promise<Decision>
}

/** @param nowMs by the clock of Postgres */
export function createDecider(nowMs: number): Decider {
  /** Of those versions of which something is not the newest. */
  const newest = new Map<KnownVersion, Newest>()

  function isAmongNewest(version: KnownVersion, scheduledForMs: number): boolean {
    const { policy, schedule } = version
    const next = schedule.next(scheduledForMs)
    if (policy.jitterMs === 0 && (next === null || next > nowMs)) return true // as nearly always, at no cost
    const most = policy.catchUp === 'all' ? policy.maxCatchUp : 1
    const found = newest.get(version) ?? newestTicks(version, nowMs, most)
    newest.set(version, found)
    return dueTime(version, scheduledForMs) >= found.dueMs
  }

  function decideVersion(version: KnownVersion, scheduledForMs: number): Decision {
    if (version.state !== 'active') return { what: 'skip', reason: version.state }
    const decision = catchUp(version.policy, {
      ageMs: nowMs - dueTime(version, scheduledForMs),
      isAmongNewest: () => isAmongNewest(version, scheduledForMs),
      graceMs: MISSED_AFTER_MS,
    })
    if (decision === 'run') return { what: 'run' }
    const instead = decision === 'coalesced' ? newest.get(version)?.fromMs : undefined
    const reason = instead === undefined ? decision : `${decision}: ${new Date(instead).toISOString()} was due`
    return { what: 'skip', reason }
  }

  return {
    decideVersion,
    async decideTick(catalog, key) {
      const current = catalog.jobs.get(key.job)
      if (key.origin !== BY_SCHEDULE) return { what: 'run', ...(current && { version: current.version }) }
      const version = await catalog.versionAt(key.job, key.scheduledForMs)
      if (version === null || !isInstant(version, key.scheduledForMs)) return { what: 'none' }
      const paused = current !== undefined && current.state !== 'active'
      const decision: Decision = paused
        ? { what: 'skip', reason: current.state }
        : decideVersion(version, key.scheduledForMs)
      return current ? { ...decision, version: current.version } : decision
    },
  }
}

function isInstant({ schedule, state }: KnownVersion, ms: number): boolean {
  return state !== 'removed' && schedule.next(ms - 1) === ms
}
