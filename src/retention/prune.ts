/** Removes from the log what has passed its retention. Any number may do it at once; a crash leaves nothing half done. */
import type { Pool } from 'pg'
import { makeDayPartitions } from '#src/store/day-partitions.ts'
import { detachedDays } from '#src/store/retention/detach-day.ts'
import { releaseHeld } from '#src/store/retention/held-day.ts'
import { dropUnusedCopies } from '#src/store/retention/kept-copy.ts'
import { strayDay } from '#src/store/retention/log-days.ts'
import { planLog } from './plan.ts'
import { finishDay, pruneDay } from './prune-day.ts'
import { pruneName } from './prune-names.ts'
import type { Pruned, PruneNeeds } from './steps.ts'

/** One run: finishes what was begun, then removes what is due, the oldest first. */
export async function pruneLog(needs: PruneNeeds, signal: AbortSignal): Promise<Pruned> {
  const { pool, policy, nowMs, onStep } = needs
  const total = { days: 0, events: 0, bytes: 0, deletedEvents: 0, waiting: 0 }
  await releaseHeld(pool, nowMs())
  await dropUnusedCopies(pool)
  await gatherStrays(pool, nowMs() - policy.defaultMs)
  let archiveWorks = true
  for (const day of await detachedDays(pool)) {
    if (archiveWorks && !signal.aborted) archiveWorks = await finishDay(needs, day, total, signal)
  }
  const plan = await planLog(needs)
  onStep?.({
    step: 'planned',
    days: plan.days.length,
    names: plan.names.length,
    unfinished: plan.unfinished.length,
  })
  for (const day of plan.days) {
    if (archiveWorks && !signal.aborted) archiveWorks = await pruneDay(needs, day, total, signal)
    else if (!signal.aborted) total.waiting++ // in the log, where it is found, until the archive works
  }
  for (const named of plan.names) if (!signal.aborted) total.deletedEvents += await pruneName(needs, named, signal)
  return total
}

/**
 * Events that lie in the default partition although their day is over came after it had left. They get their day back,
 * so that they leave as all others do.
 */
async function gatherStrays(pool: Pool, beforeMs: number): Promise<void> {
  for (let last: number | null = null; ; ) {
    const day = await strayDay(pool, beforeMs)
    if (day === null || day === last) return
    await makeDayPartitions(pool, [day])
    last = day
  }
}
