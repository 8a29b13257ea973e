/** What was due: computed from the history of a job's schedule alone. Pure. */
import type { KnownVersion } from './catalog.ts'
import { dueTime } from './newest.ts'

export interface DueTick {
  readonly scheduledForMs: number
  readonly version: KnownVersion
}

/**
 * Every instant of a job after `afterMs` up to and including `untilMs`, ascending, one at a time.
 * @param versions those that hold for instants after `afterMs`, oldest first
 */
export function* instantsOf(
  versions: readonly KnownVersion[],
  afterMs: number,
  untilMs: number,
): Generator<DueTick, void> {
  for (const [index, version] of versions.entries()) {
    if (version.state === 'removed') continue
    const fromMs = Math.max(afterMs, version.validFromMs)
    const toMs = Math.min(untilMs, versions[index + 1]?.validFromMs ?? Number.POSITIVE_INFINITY)
    for (const scheduledForMs of version.schedule.between(fromMs, toMs)) yield { scheduledForMs, version }
  }
}

/** Those that are due by `untilMs`, their jitter included. Ends at the first that is not due yet. */
export function* dueTicks(
  versions: readonly KnownVersion[],
  afterMs: number,
  untilMs: number,
): Generator<DueTick, void> {
  for (const tick of instantsOf(versions, afterMs, untilMs)) {
    if (dueTime(tick.version, tick.scheduledForMs) > untilMs) return
    yield tick
  }
}
