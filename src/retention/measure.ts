/** What `/metrics` and the log of the process say of retention. */

import type { RetentionContext } from './context.ts'
import { sizes } from './overview.ts'
import type { PruneStep } from './steps.ts'

/** Counts and logs what has just happened. */
export function countStep({ metrics, log }: RetentionContext, step: PruneStep): void {
  if (step.step === 'detached') {
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

/** The job runs now in this process, now in that: what one has seen is no longer said after so many rounds without it. */
const FRESH_MS = 25 * 60_000
const fading = new WeakMap<object, NodeJS.Timeout>()

/** Sets the gauges of what there is: by Postgres' statistics, so it costs nothing however large the log is. */
export async function measureLog({ pool, metrics, settings, nowMs }: RetentionContext): Promise<void> {
  const { days, tables, oldest, growth } = await sizes(pool, settings.events.retentionMs, nowMs())
  const gauges = [metrics.logEvents, metrics.logBytes, metrics.tableRows, metrics.tableBytes]
  const forget = () => {
    for (const gauge of gauges) gauge.reset()
  }
  forget()
  clearTimeout(fading.get(metrics))
  fading.set(metrics, setTimeout(forget, FRESH_MS).unref())
  for (const { table, events, bytes } of days) {
    metrics.logEvents.set({ table }, events)
    metrics.logBytes.set({ table }, bytes)
  }
  for (const { table, rows, bytes } of tables) {
    metrics.tableRows.set({ table }, rows)
    metrics.tableBytes.set({ table }, bytes)
  }
  metrics.logOldestSeconds.set(oldest === null ? 0 : Math.max(0, (nowMs() - Date.parse(oldest)) / 1_000))
  metrics.logGrowthBytes.set(growth.bytesPerDay)
  metrics.logForecastBytes.set(growth.bytesAtRetention)
}
