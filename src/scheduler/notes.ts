/** Instants as people read them: local time, and a note where clocks change. */
import type { Schedule } from './schedule.ts'

export interface ShownInstant {
  /** `2026-03-29T01:30:00.000Z` */
  readonly instant: string
  /** `2026-03-29T03:30:00.000+02:00`, with seconds in the offset where it has them */
  readonly local: string
  /** Why it is where it is; null on an ordinary day. */
  readonly note: string | null
}

export interface ClockChange {
  /** The first instant of the new offset. */
  readonly instant: string
  /** `clocks go forward from 02:00 to 03:00` */
  readonly change: string
  /** What this schedule does with the local times that are left out or come twice. */
  readonly effect: string
}

const DAY_MS = 86_400_000

export function showInstant({ zone, dst }: Schedule, ms: number): ShownInstant {
  const { fromMs, toMs, offsetMs, beforeMs, afterMs } = zone.stretchAt(ms)
  let note: string | null = null
  if (beforeMs > offsetMs && ms < fromMs + (beforeMs - offsetMs)) note = 'second time on this clock'
  else if (afterMs < offsetMs && ms >= toMs - (offsetMs - afterMs)) note = 'first of two times on this clock'
  else if (dst?.gap === 'shift' && beforeMs < offsetMs && ms < fromMs + (offsetMs - beforeMs))
    note = `right after a gap: ${clockAt(ms + beforeMs)} does not exist on this day`
  return { instant: new Date(ms).toISOString(), local: localIso(ms, offsetMs), note }
}

/** The changes of clocks between two instants; none for a grid of elapsed time. */
export function clockChanges({ zone, dst }: Schedule, fromMs: number, toMs: number): ClockChange[] {
  const changes: ClockChange[] = []
  if (dst === null) return changes
  for (let stretch = zone.stretchAt(fromMs); stretch.toMs <= toMs; stretch = zone.stretchAt(stretch.toMs)) {
    const { toMs: at, offsetMs, afterMs } = stretch
    if (afterMs === offsetMs) continue
    const [from, to] = [clockAt(at + offsetMs), clockAt(at + afterMs)]
    const forward = afterMs > offsetMs
    const wholeDay = Math.abs(afterMs - offsetMs) >= DAY_MS
    changes.push({
      instant: new Date(at).toISOString(),
      change: wholeDay
        ? 'a day of the calendar is left out'
        : `clocks go ${forward ? 'forward' : 'back'} from ${from} to ${to}`,
      effect: forward ? EFFECTS[dst.gap] : EFFECTS[dst.fold],
    })
  }
  return changes
}

const EFFECTS = {
  shift: 'local times left out run as if clocks had not changed',
  skip: 'local times left out do not run',
  first: 'local times that come twice run the first time',
  last: 'local times that come twice run the second time',
  both: 'local times that come twice run both times',
} as const

function clockAt(wall: number): string {
  return new Date(wall).toISOString().slice(11, 16)
}

function localIso(ms: number, offsetMs: number): string {
  const [hours, minutes, seconds] = [offsetMs / 3_600_000, offsetMs / 60_000, offsetMs / 1_000].map((n) =>
    Math.floor(Math.abs(n)),
  ) as [number, number, number]
  const parts = [hours, minutes % 60, ...(seconds % 60 === 0 ? [] : [seconds % 60])]
  const offset = parts.map((part) => String(part).padStart(2, '0')).join(':')
  return `${new Date(ms + offsetMs).toISOString().slice(0, -1)}${offsetMs < 0 ? '-' : '+'}${offset}`
}
