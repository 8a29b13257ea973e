/** Intervals: a grid of elapsed time, or of whole days on a zone's clock. */
import { readInstant } from './read-spec.ts'
import type { IntervalSpec } from './spec.ts'
import type { NextInstant, NextWall } from './wall-instants.ts'
import type { Zone } from './zone.ts'

const DAY_MS = 86_400_000

/** The grid; `walls` when it is one of local times, which then counts. */
export function intervalGrid(
  { everyMs, anchor, timeZone }: IntervalSpec,
  zone: Zone,
): { next: NextInstant; walls: NextWall | null } {
  const anchorMs = readInstant(anchor, 'anchor') ?? 0
  const onClock = timeZone !== undefined && everyMs % DAY_MS === 0
  return {
    next: gridAfter(anchorMs, everyMs),
    walls: onClock ? gridAfter(anchorMs + zone.offsetAt(anchorMs), everyMs) : null,
  }
}

function gridAfter(anchorMs: number, everyMs: number): (afterMs: number) => number {
  return (afterMs) => anchorMs + (Math.floor((afterMs - anchorMs) / everyMs) + 1) * everyMs
}
