/**
 * task_run_state: one row for each state that a task run was in, in whatever order they came. Read by /task_run_states.
 * Safe to rebuild: touches nothing but its table.
 */
import { Type } from '@sinclair/typebox'
import { defineProjection } from '#src/consumer/projection.ts'
import { clearedFrom, FLOW_RUN_CLEARED, TASK_RUN_CLEARED } from '#src/events/run-cleared.ts'
import { uuidOf } from '#src/events/set-fields.ts'
import { State } from '#src/events/state.ts'
import { TASK_RUN_EVENTS, taskRunNames, taskRunStateOf } from '#src/events/task-run.ts'
import taskRun from './task-run.ts'

export default defineProjection({
  name: 'task-run-state',
  version: 1,
  table: 'task_run_state', // migrations/0011_task_runs.sql
  row: Type.Composite([State, Type.Object({ task_run_id: Type.String() })]),
  keyColumns: ['id'],
  since: 'timestamp',
  order: 'loose', // a state is written once and never changed
  lookups: {
    // Under another id than this event's, when two have been made for one run.
    run: {
      in: taskRun,
      columns: ['flow_run_id', 'task_key', 'dynamic_key'],
      of: (event) => taskRunNames(event)?.naturalKey ?? null,
    },
  },
  keys(event) {
    return taskRunNames(event) === null ? clearedFrom('task_run_state', event) : [event.id]
  },
  evolve: (on) => [
    on(FLOW_RUN_CLEARED, () => null),
    on(TASK_RUN_CLEARED, (row, { resourceId }) => (row?.task_run_id === uuidOf(resourceId) ? null : row)),
    on(TASK_RUN_EVENTS, (row, event, { found }) => {
      const task_run_id = (found['run']?.['id'] as string | undefined) ?? taskRunNames(event)?.id
      return row !== null || task_run_id === undefined || task_run_id === null
        ? row
        : { ...taskRunStateOf(event, task_run_id), task_run_id }
    }),
  ],
})
