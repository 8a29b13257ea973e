/**
 * task_run: one row per task run, as it is now. Read by /task_runs. Safe to rebuild: touches nothing but its table.
 *
 * A client makes the id of a task run, and may make another one for the same task of the same flow run: the id that came
 * first stays, and the run is found by its natural key.
 */
import { defineProjection, type Found, type ProjectedEvent } from '#src/consumer/projection.ts'
import { clearedFrom, FLOW_RUN_CLEARED, isOfRun } from '#src/events/run-cleared.ts'
import { uuidOf } from '#src/events/set-fields.ts'
import {
  comesAfter,
  TASK_RUN_DELETED,
  TASK_RUN_EVENTS,
  TASK_RUN_UPDATED,
  TaskRun,
  type TaskRunRow,
  taskRunNames,
  taskRunOf,
} from '#src/events/task-run.ts'

export default defineProjection({
  name: 'task-run',
  version: 1,
  table: 'task_run', // migrations/0011_task_runs.sql
  row: TaskRun,
  keyColumns: ['id'],
  since: 'created',
  order: 'loose', // an event that comes late changes what it should, whatever came before it
  lookups: {
    same: {
      columns: ['flow_run_id', 'task_key', 'dynamic_key'],
      of: (event) => taskRunNames(event)?.naturalKey ?? null,
    },
  },
  keys(event: ProjectedEvent, { same }: Found) {
    if (event.event === FLOW_RUN_CLEARED) return clearedFrom('task_run', event)
    const id = (same?.['id'] as string | undefined) ?? ownId(event)
    return id === null ? [] : [id]
  },
  evolve: (on) => [
    on(FLOW_RUN_CLEARED, (row, event) => (isOfRun(row, event) ? null : row)),
    on(TASK_RUN_DELETED, () => null),
    on(TASK_RUN_UPDATED, (row, event) => row && renamed(row, event)),
    on(TASK_RUN_EVENTS, (row, event, { key: [id] }) => {
      const next = taskRunOf(event, String(id))
      return row === null ? next : merged(row, next, event.resource['prefect.orchestration'] === 'server')
    }),
  ],
})

function ownId(event: ProjectedEvent): string | null {
  const isOfServers = event.event === TASK_RUN_DELETED || event.event === TASK_RUN_UPDATED
  return isOfServers ? uuidOf(event.resourceId) : (taskRunNames(event)?.id ?? null)
}

function renamed(row: TaskRunRow, { payload, occurred }: ProjectedEvent): TaskRunRow {
  const { name } = payload
  if (typeof name !== 'string') throw new TypeError('a task run can only be given a name that is text')
  return { ...row, name, updated: occurred > row.updated ? occurred : row.updated }
}

/** The later one of both, with what only the other one knows; the same row when there is nothing new in the other one. */
function merged(row: TaskRunRow, next: TaskRunRow, byServer: boolean): TaskRunRow {
  if (next.state_id === row.state_id) return row // it came twice
  const [last, other] = comesAfter(next, row, byServer) ? [next, row] : [row, next]
  return {
    ...last,
    flow_run_id: last.flow_run_id ?? other.flow_run_id,
    expected_start_time: last.expected_start_time ?? other.expected_start_time,
    created: next.created < row.created ? next.created : row.created,
    updated: next.updated > row.updated ? next.updated : row.updated,
  }
}
