import { Type } from '@sinclair/typebox'
import { State } from '#src/events/state.ts'
import { type RowTable, rowTable } from './row-table.ts'

export type StateRow = State & { readonly flow_run_id: string }

/** States that flow runs were in, as the projection `flow-run-state` keeps them. */
export const flowRunStateTable: RowTable<StateRow> = rowTable('flow_run_state', {
  ...State.properties,
  flow_run_id: Type.String(),
})
