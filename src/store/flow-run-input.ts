import { FlowRunInput, type FlowRunInputRow } from '#src/events/flow-run-input.ts'
import { type RowTable, rowTable } from './row-table.ts'

/** What was sent to flow runs, as the projection `flow-run-input` keeps it. */
export const flowRunInputTable: RowTable<FlowRunInputRow> = rowTable('flow_run_input', FlowRunInput.properties)
