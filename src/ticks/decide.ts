/** What becomes of a tick that was taken: run, or skipped with its reason. From the schedule's history and one clock. */
import { catchUp } from '#src/scheduler/index.ts'
import { BY_SCHEDULE, type TickKey } from '#src/store/tick/key.ts'
import type { Catalog, KnownVersion } from './catalog.ts'
import { countNewer } from './job.ts'

/** A tick no older than this was not missed: the auditor closes a gap within some seconds. */
export const MISSED_AFTER_MS = 30_000

/** `run`; `skip` with the reason; or `none`: the schedule has no such instant, so there must be no row. */
export type Decision = { readonly what: 'run' | 'none' } | { readonly what: 'skip'; readonly reason: string }

/** @param nowMs by the clock of Postgres */
export async function decideTick(catalog: Catalog, key: TickKey, nowMs: number): Promise<Decision> {
  if (key.origin !== BY_SCHEDULE) return { what: 'run' }
  const current = catalog.jobs.get(key.job)
  const version = await catalog.versionAt(key.job, key.scheduledForMs)
  if (version === null || !isInstant(version, key.scheduledForMs)) return { what: 'none' }
  if (current !== undefined && current.state !== 'active') return { what: 'skip', reason: current.state }
  return decideVersion(version, key.scheduledForMs, nowMs)
}

/** The same for an instant that is known to be of this version. */
export function decideVersion(version: KnownVersion, scheduledForMs: number, nowMs: number): Decision {
  if (version.state !== 'active') return { what: 'skip', reason: version.state }
  const { policy, schedule } = version
  const ageMs = nowMs - scheduledForMs
  const most = policy.catchUp === 'all' ? policy.maxCatchUp : 1
  const inTime = ageMs <= MISSED_AFTER_MS && policy.catchUp !== 'latest'
  const newer = inTime ? 0 : countNewer(schedule, scheduledForMs, nowMs, most)
  const decision = catchUp(policy, { ageMs, newer, graceMs: MISSED_AFTER_MS })
  return decision === 'run' ? { what: 'run' } : { what: 'skip', reason: decision }
}

function isInstant({ schedule, state }: KnownVersion, ms: number): boolean {
  return state !== 'removed' && schedule.next(ms - 1) === ms
}
