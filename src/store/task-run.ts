import { TaskRun, type TaskRunRow } from '#src/events/task-run.ts'
import { type RowTable, rowTable } from './row-table.ts'

/** Task runs, as the projection `task-run` keeps them. */
export const taskRunTable: RowTable<TaskRunRow> = rowTable('task_run', TaskRun.properties)
