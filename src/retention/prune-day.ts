/** A day leaves the log: it is detached, archived and dropped. */
import { ArchiveDamaged, ArchiveUnavailable } from '#src/errors.ts'
import { type DetachedDay, detachDay, dropDetached } from '#src/store/retention/detach-day.ts'
import { dayEndMs, isoDay } from '#src/store/retention/log-days.ts'
import type { DayPlan } from './plan.ts'
import { namesKept } from './policy.ts'
import type { PruneNeeds, Total } from './steps.ts'

/** Long enough for a pause between the queries of a busy log, short enough that a run ends. */
const WITHIN_MS = 20_000

/** Detaches a day and finishes it. False when the archive doesn't work: then no other day should be detached either. */
export async function pruneDay(needs: PruneNeeds, plan: DayPlan, total: Total, signal: AbortSignal): Promise<boolean> {
  const { pool, policy, nowMs, onStep } = needs
  const { day, date, waitsFor } = plan
  if (waitsFor !== null) {
    wait(needs, total, date, waitsFor)
    return true
  }
  const detachment = await detachDay(pool, day, {
    keptOf: (names) => namesKept(policy, names, dayEndMs(day), nowMs()),
    withinMs: WITHIN_MS,
    signal,
    onLocked: (lockedMs) => onStep?.({ step: 'locked', date, lockedMs }),
  })
  if (!detachment.done) {
    if (detachment.reason === 'raced') wait(needs, total, date, 'another process removes it at this moment')
    if (detachment.reason === 'busy')
      wait(needs, total, date, 'the log was in use all the time: queries that take long hold it')
    return true
  }
  onStep?.({ step: 'detached', date, attempts: detachment.attempts })
  return finishDay(needs, detachment.detached, total, signal)
}

/** Archives a detached day, if there is an archive, and drops it. False when the archive doesn't work. */
export async function finishDay(
  needs: PruneNeeds,
  day: DetachedDay,
  total: Total,
  signal: AbortSignal,
): Promise<boolean> {
  const { pool, archive, onStep } = needs
  const date = isoDay(day.day)
  try {
    const onProgress = (events: number, all: number) => onStep?.({ step: 'archiving', date, events, total: all })
    const archived = (await archive?.write(day, signal, onProgress)) ?? null
    if (archived !== null) onStep?.({ step: 'archived', date, ...archived })
    const dropping = await dropDetached(pool, day, archived, { withinMs: WITHIN_MS, signal })
    if (dropping === 'busy') wait(needs, total, date, 'its table is still read: by a backup that takes long, perhaps')
    if (dropping !== 'dropped') return true
    const events = archived?.events ?? day.events
    total.days++
    total.events += events
    total.bytes += day.bytes
    onStep?.({ step: 'dropped', date, events, bytes: day.bytes })
    await archive?.tidy(day)
    return true
  } catch (error) {
    if (error instanceof ArchiveUnavailable || error instanceof ArchiveDamaged) {
      wait(needs, total, date, error.message)
      return false
    }
    if ((error as { code?: string }).code === '42P01') return true // dropped by another process
    throw error
  }
}

function wait({ onStep }: PruneNeeds, total: Total, date: string, reason: string): void {
  total.waiting++
  onStep?.({ step: 'waits', date, reason })
}
