import { Type } from '@sinclair/typebox'
import { State } from '#src/events/state.ts'
import { type RowTable, rowTable } from './row-table.ts'

export type TaskRunStateRow = State & { readonly task_run_id: string }

/** States that task runs were in, as the projection `task-run-state` keeps them. */
export const taskRunStateTable: RowTable<TaskRunStateRow> = rowTable('task_run_state', {
  ...State.properties,
  task_run_id: Type.String(),
})
