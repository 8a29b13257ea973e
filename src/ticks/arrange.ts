/** Of the ticks of one job that may not run side by side: which one is next, and what becomes of the others. Pure. */
import type { JobPolicy } from '#src/scheduler/index.ts'
import { BY_SCHEDULE, type TickKey } from '#src/store/tick/key.ts'

/** One job's ticks that have no outcome yet and are to be run, each list by its instants. */
export interface Queue {
  /** The one that runs, or whose process died; null when there is none. */
  readonly running: (TickKey & { readonly alive: boolean }) | null
  readonly waiting: readonly TickKey[]
}

export interface Arrangement {
  /** To be begun now. */
  readonly take: TickKey | null
  /** To be ended first, and why. */
  readonly cancel: (TickKey & { readonly reason: string }) | null
  /** Those that will not run, and why. */
  readonly skip: readonly (TickKey & { readonly reason: string })[]
  /** Whether others go on waiting. */
  readonly isWaiting: boolean
}

/**
 * What somebody asked for waits for its turn, whatever the policy: it is neither left out nor held back but by what runs. Of
 * scheduled ticks none waits for ever: each is taken, or goes on waiting as the only one, or is skipped.
 */
export function arrange(overlap: Exclude<JobPolicy['overlap'], 'allow'>, { running, waiting }: Queue): Arrangement {
  const scheduled = waiting.filter(({ origin }) => origin === BY_SCHEDULE)
  if (overlap === 'cancel-previous') return latestFirst(running, waiting, scheduled)
  // One whose process died goes on before any other of its job begins.
  if (running !== null && !running.alive) return settled({ take: running }, waiting)
  if (running === null) return settled({ take: waiting[0] ?? null }, waiting)
  const leftOut = overlap === 'skip' ? scheduled : scheduled.slice(1)
  const reason = `overlap: ${instantOf(running)} still runs`
  return settled({ skip: leftOut.map((key) => ({ ...key, reason })) }, waiting)
}

/**
 * Only a later instant ends what runs; a scheduled one that is older than what runs, or will run, is superseded. A backfill ends
 * nothing: its ticks come one after another.
 */
function latestFirst(
  running: Queue['running'],
  waiting: readonly TickKey[],
  scheduled: readonly TickKey[],
): Arrangement {
  const after = running?.scheduledForMs ?? Number.NEGATIVE_INFINITY
  const latest = waiting.findLast(({ origin, scheduledForMs }) => !isBackfill(origin) && scheduledForMs > after)
  const next = latest ?? running ?? waiting[0]
  if (next === undefined) return settled({}, waiting)
  const reason = `overlap: ${instantOf(next)} is due`
  const skip = scheduled.filter((key) => key !== next).map((key) => ({ ...key, reason }))
  if (running === null) return settled({ take: next, skip }, waiting)
  if (latest !== undefined)
    return settled(
      { take: latest, cancel: { ...running, reason: `cancelled: ${instantOf(latest)} is due` }, skip },
      waiting,
    )
  return settled({ take: running.alive ? null : running, skip }, waiting)
}

function isBackfill(origin: string): boolean {
  return origin.startsWith('backfill:')
}

function settled(part: Partial<Arrangement>, waiting: readonly TickKey[]): Arrangement {
  const { take = null, cancel = null, skip = [] } = part
  const left = waiting.length - skip.length - (take !== null && waiting.includes(take) ? 1 : 0)
  return { take, cancel, skip, isWaiting: left > 0 }
}

function instantOf({ scheduledForMs }: TickKey): string {
  return new Date(scheduledForMs).toISOString()
}
