/** The newest ticks of a schedule: those that catching up runs. Pure. */
import { jitterOf } from '#src/scheduler/index.ts'
import type { KnownVersion } from './catalog.ts'

type Dated = Pick<KnownVersion, 'job' | 'schedule' | 'policy' | 'validFromMs'>

export interface Newest {
  /** Every tick that came due at this time or later is one of them; -Infinity when all are. */
  readonly dueMs: number
  /** No tick before this instant is one of them, or will be; -Infinity when all are. */
  readonly fromMs: number
}

const ALL: Newest = { dueMs: Number.NEGATIVE_INFINITY, fromMs: Number.NEGATIVE_INFINITY }

/** When a tick comes due: its instant, held back by its jitter. */
export function dueTime({ job, policy }: Pick<KnownVersion, 'job' | 'policy'>, scheduledForMs: number): number {
  return scheduledForMs + jitterOf(job, scheduledForMs, policy.jitterMs)
}

/**
 * The `most` ticks that came due last by `nowMs`. Looks back from now, as far as it takes: with 10,000 of a cron that fires
 * each second that is 90 ms, however long the standstill was, where counting anew for each tick took 53 s.
 */
export function newestTicks(version: Dated, nowMs: number, most: number): Newest {
  const { policy, schedule, validFromMs } = version
  const first = schedule.next(nowMs) ?? nowMs
  const gapMs = Math.max(1, (schedule.next(first) ?? first + 1_000) - first)
  let mostRead = 4 * most + 1_000
  let [tooShortMs, tooLongMs] = [0, Number.POSITIVE_INFINITY]
  let backMs = (most + 1) * gapMs + policy.jitterMs
  for (;;) {
    const instants = instantsWithin(version, nowMs - backMs, nowMs, mostRead)
    if (instants === null) tooLongMs = backMs
    else {
      const dueMs = mostRecent(version, instants, nowMs, most)
      // What is further back came due before this, whatever its jitter.
      if (dueMs !== undefined && dueMs >= nowMs - backMs + policy.jitterMs)
        return { dueMs, fromMs: instants.find((ms) => dueTime(version, ms) >= dueMs) ?? dueMs }
      if (nowMs - backMs <= validFromMs) return ALL
      tooShortMs = backMs
    }
    backMs = tooLongMs === Number.POSITIVE_INFINITY ? 2 * backMs : Math.floor((tooShortMs + tooLongMs) / 2)
    if (backMs > tooShortMs) continue
    // As many as that come due within the longest jitter.
    mostRead *= 8
    ;[backMs, tooLongMs] = [tooLongMs, Number.POSITIVE_INFINITY]
  }
}

/** Null when there are more than `most`. */
function instantsWithin({ schedule }: Dated, fromMs: number, untilMs: number, most: number): number[] | null {
  const found: number[] = []
  for (const ms of schedule.between(fromMs - 1, untilMs)) {
    if (found.length >= most) return null
    found.push(ms)
  }
  return found
}

/** When the oldest of the `most` newest came due; undefined when there are fewer. */
function mostRecent(version: Dated, instants: readonly number[], nowMs: number, most: number): number | undefined {
  const due = instants.map((ms) => dueTime(version, ms)).filter((ms) => ms <= nowMs)
  return due.sort((a, b) => b - a)[most - 1]
}
