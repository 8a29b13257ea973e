import { FlowRun, type FlowRunRow } from '#src/events/flow-run.ts'
import { type RowTable, rowTable } from './row-table.ts'

/** Flow runs, as the projection `flow-run` keeps them. */
export const flowRunTable: RowTable<FlowRunRow> = rowTable('flow_run', FlowRun.properties)
