/** Removes from the log what has passed its retention. Any number may do it at once; a crash leaves nothing half done. */
import type { Pool } from 'pg'
import { makeDayPartitions } from '#src/store/day-partitions.ts'
import { detachedDays } from '#src/store/retention/detach-day.ts'
import { releaseHeld } from '#src/store/retention/held-day.ts'
import { dropUnusedCopies } from '#src/store/retention/kept-copy.ts'
import { isoDay, strayDay } from '#src/store/retention/log-days.ts'
import { droppedLately } from '#src/store/retention/pruned-day.ts'
import { createParts, type Parts } from './parts.ts'
import { type LogPlan, planLog } from './plan.ts'
import { finishDay, pruneDay } from './prune-day.ts'
import { pruneName } from './prune-names.ts'
import type { Pruned, PruneNeeds } from './steps.ts'

const NOTHING: LogPlan = { days: [], names: [], unfinished: [], reading: null }

/** One run: finishes what was begun, then removes what is due, the oldest first. */
export async function pruneLog(needs: PruneNeeds, signal: AbortSignal): Promise<Pruned> {
  const { pool, policy, nowMs, onStep } = needs
  const parts = createParts(signal, onStep)
  const total = { days: 0, events: 0, bytes: 0, deletedEvents: 0, waiting: 0 }
  await parts.try('days that were held', undefined, () => releaseHeld(pool, nowMs()))
  await parts.try('copies that nobody needs', 0, () => dropUnusedCopies(pool))
  await parts.try('the rest of attempts to archive', undefined, () => tidyArchive(needs))
  await parts.try('late events', undefined, () => gatherStrays(pool, nowMs() - policy.defaultMs, parts))
  let archiveWorks = true
  for (const day of await parts.try('days that left', [], () => detachedDays(pool))) {
    if (!archiveWorks || signal.aborted) break
    archiveWorks = await parts.try(isoDay(day.day), true, () => finishDay(needs, day, total, signal))
  }
  const plan = await parts.try('the plan', NOTHING, () => planLog(needs))
  onStep?.({
    step: 'planned',
    days: plan.days.length,
    names: plan.names.length,
    unfinished: plan.unfinished.length,
  })
  for (const day of plan.days) {
    if (signal.aborted) break
    if (archiveWorks) archiveWorks = await parts.try(day.date, true, () => pruneDay(needs, day, total, signal))
    else total.waiting++ // in the log, where it is found, until the archive works
  }
  for (const named of plan.names) {
    if (signal.aborted) break
    await parts.try(`${named.name} of ${named.date}`, undefined, () => pruneName(needs, named, total, signal))
  }
  return { ...total, failed: parts.failed() }
}

/** A killed process may have dropped a day and not removed what earlier attempts to archive it had left. */
async function tidyArchive({ pool, archive }: PruneNeeds): Promise<void> {
  if (archive !== null) for (const day of await droppedLately(pool)) await archive.tidy(day)
}

/**
 * Events that lie in the default partition although their day is over came after it had left. They get their day back,
 * so that they leave as all others do.
 */
async function gatherStrays(pool: Pool, beforeMs: number, parts: Parts): Promise<void> {
  for (let from = -Infinity; ; ) {
    const day = await strayDay(pool, from, beforeMs)
    if (day === null) return
    await parts.try(`late events of ${isoDay(day)}`, [], () => makeDayPartitions(pool, [day]))
    from = day + 1
  }
}
