import { Flow, type FlowRow } from '#src/events/flow.ts'
import { type RowTable, rowTable } from './row-table.ts'

/** Flows, as the projection `flow` keeps them. */
export const flowTable: RowTable<FlowRow> = rowTable('flow', Flow.properties)
