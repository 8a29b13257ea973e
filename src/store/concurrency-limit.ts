import { ConcurrencyLimit, type ConcurrencyLimitRow } from '#src/events/concurrency-limit.ts'
import { type RowTable, rowTable } from './row-table.ts'

/** Concurrency limits, as the projection `concurrency-limit` keeps them. */
export const concurrencyLimitTable: RowTable<ConcurrencyLimitRow> = rowTable(
  'concurrency_limit',
  ConcurrencyLimit.properties,
)
