/** How a history of runs is asked for and answered, for flow runs and task runs alike. */
import { type Static, Type } from '@sinclair/typebox'
import { RunFilters } from '#src/store/filters/runs.ts'
import type { HistoryRange } from '#src/store/run-history.ts'
import { RequestRefused } from '../../errors.ts'
import { instant, When } from './fields.ts'

export const HistoryBody = Type.Object({
  ...RunFilters,
  history_start: When,
  history_end: When,
  history_interval_seconds: Type.Number(),
  /** What is `work_pool_queues` everywhere else. */
  work_queues: RunFilters.work_pool_queues,
})
type HistoryBody = Static<typeof HistoryBody>

/** @throws RequestRefused in the words of Prefect's server */
export function historyRange({ history_start, history_end, history_interval_seconds }: HistoryBody): HistoryRange {
  if (history_interval_seconds < 1) throw new RequestRefused('History interval must not be less than 1 second.')
  return { start: instant(history_start), end: instant(history_end), intervalSeconds: history_interval_seconds }
}

/** The filters, by their usual names. */
export function historyFilters({ work_queues, work_pool_queues, ...body }: HistoryBody): RunFilters {
  return { ...body, work_pool_queues: work_pool_queues ?? work_queues ?? null }
}
