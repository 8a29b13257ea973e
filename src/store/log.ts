import { Log, type LogLine } from '#src/events/log.ts'
import { type RowTable, rowTable } from './row-table.ts'

/** Lines that runs logged, as the projection `log` keeps them. */
export const logTable: RowTable<LogLine> = rowTable('log', Log.properties)
