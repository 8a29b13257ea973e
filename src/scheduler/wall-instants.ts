/**
 * From local times to instants. The calendar arithmetic of cron and RRULE is done on a clock without a zone ("walls":
 * milliseconds that look like UTC); here alone do changes of clocks come in, so they are treated alike for all, and no
 * library's opinion of them counts.
 */
import type { DstPolicy } from './spec.ts'
import { MAX_MS, type Stretch, type Zone } from './zone.ts'

/** Gives the first instant strictly after the given one; null when there is none before the year 2300. */
export type NextInstant = (afterMs: number) => number | null

/** Gives the first local time strictly after the given one; null when there is none. */
export type NextWall = (afterWall: number) => number | null

/** No offset is as large: a wall is never further than this from its instant. */
const FARTHEST_MS = 86_400_000

/** Walks the stretches of one offset; within one, local times and instants go in step. */
export function instantsOfWalls(walls: NextWall, zone: Zone, dst: DstPolicy): NextInstant {
  return (afterMs) => {
    let fromMs = afterMs + 1
    while (fromMs < MAX_MS) {
      const stretch = zone.stretchAt(fromMs)
      const wall = firstWall(walls, stretch, fromMs, dst)
      const found = Math.min(wall - stretch.offsetMs, firstOfGap(walls, stretch, fromMs, dst))
      if (found < endOf(stretch, dst)) return found
      fromMs = stretch.toMs
      // Years without a match are passed over; not where clocks go back, since the walls before it come again.
      if (stretch.afterMs < stretch.offsetMs) continue
      if (wall === Number.POSITIVE_INFINITY) return null
      fromMs = Math.max(fromMs, wall - FARTHEST_MS)
    }
    return null
  }
}

/** The first wall that this stretch shows from `fromMs` on; where clocks went back, `first` passes over the second showing. */
function firstWall(walls: NextWall, stretch: Stretch, fromMs: number, { fold }: DstPolicy): number {
  const shown = fromMs + stretch.offsetMs
  const fresh = fold === 'first' ? Math.max(shown, stretch.fromMs + stretch.beforeMs) : shown
  return walls(fresh - 1) ?? Number.POSITIVE_INFINITY
}

/** `last` leaves what clocks will show again to the next stretch. */
function endOf({ toMs, offsetMs, afterMs }: Stretch, { fold }: DstPolicy): number {
  return fold === 'last' && afterMs < offsetMs ? toMs - (offsetMs - afterMs) : toMs
}

/** The first wall that was left out when this stretch began, as the instant it would have had under the offset before. */
function firstOfGap(walls: NextWall, stretch: Stretch, fromMs: number, { gap }: DstPolicy): number {
  const { beforeMs, offsetMs } = stretch
  if (gap === 'skip' || beforeMs >= offsetMs || fromMs >= stretch.fromMs + (offsetMs - beforeMs))
    return Number.POSITIVE_INFINITY
  const wall = walls(fromMs + beforeMs - 1)
  return wall !== null && wall < stretch.fromMs + offsetMs ? wall - beforeMs : Number.POSITIVE_INFINITY
}
