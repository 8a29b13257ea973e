/** What `/metrics` and the log of the process say of retention. */

import type { RetentionContext } from './context.ts'
import { sizes } from './overview.ts'
import type { PruneStep } from './steps.ts'

/** Counts and logs what has just happened. */
export function countStep({ metrics, log }: RetentionContext, step: PruneStep): void {
  if (step.step === 'locked') {
    metrics.retentionLockSeconds.observe(step.lockedMs / 1_000)
  } else if (step.step === 'dropped') {
    metrics.prunedEvents.inc({ how: 'dropped' }, step.events)
    metrics.prunedBytes.inc(step.bytes)
    log.info({ date: step.date, events: step.events, bytes: step.bytes }, 'a day of the log was dropped')
  } else if (step.step === 'archived') {
    log.info({ date: step.date, events: step.events, where: step.where }, 'a day of the log was archived')
  } else if (step.step === 'deleted') {
    metrics.prunedEvents.inc({ how: 'deleted' }, step.events)
  } else if (step.step === 'deleted-rows') {
    metrics.prunedRows.inc({ table: step.table }, step.rows)
    log.info({ table: step.table, rows: step.rows }, `${step.what} past their retention were deleted`)
  } else if (step.step === 'waits') {
    log.warn({ date: step.date, reason: step.reason }, 'a day of the log is due and stays')
  } else if (step.step === 'failed') {
    metrics.retentionFailures.inc()
    log.error({ what: step.what, reason: step.reason }, 'a part of retention failed; the others go on')
  }
}

/** A round may take hours, and what is said meanwhile should be what there is. */
const EVERY_MS = 5 * 60_000

/** Has the gauges say what there is before, during and after a piece of work, however that ends. */
export async function whileMeasured<T>(context: RetentionContext, work: () => Promise<T>): Promise<T> {
  await measure(context)
  const timer = setInterval(() => void measure(context), EVERY_MS)
  try {
    return await work()
  } finally {
    clearInterval(timer)
    await measure(context)
  }
}

/** By Postgres' statistics, so it costs nothing however large the log is. Where it fails, the work goes on. */
async function measure({ pool, metrics, settings, nowMs, log }: RetentionContext): Promise<void> {
  try {
    const { days, tables, oldest, growth } = await sizes(pool, settings.events.retentionMs, nowMs())
    metrics.retention.seen({
      days,
      tables,
      oldestSeconds: oldest === null ? null : Math.max(0, (nowMs() - Date.parse(oldest)) / 1_000),
      growthBytes: growth.bytesPerDay,
      forecastBytes: growth.bytesAtRetention,
    })
  } catch (error) {
    log.warn({ reason: (error as Error).message }, 'sizes of the log could not be looked at')
  }
}
