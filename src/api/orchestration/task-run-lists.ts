/** `/task_runs`, as they are read: one by its id, lists, counts, history; `/task_run_states`, where they have been. */
import { Type } from '@sinclair/typebox'
import { State } from '#src/events/state.ts'
import { taskRunsWhere } from '#src/store/filters/runs.ts'
import { HistoryInterval, runHistory } from '#src/store/run-history.ts'
import { type FragmentSqlToken, sql } from '#src/store/sql.ts'
import { taskRunTable } from '#src/store/task-run.ts'
import { type TaskRunStateRow, taskRunStateTable } from '#src/store/task-run-state.ts'
import { NotFound } from '../../errors.ts'
import type { Api } from '../route.ts'
import { ID } from './conventions.ts'
import { Params, Uuid } from './fields.ts'
import { HistoryBody, historyFilters, historyRange } from './history.ts'
import { listRoutes } from './lists.ts'
import type { OrchestrationNeeds } from './needs.ts'
import { TaskRunResponse, taskRunResponse } from './task-run-response.ts'

/** The run time with that of the state RUNNING which lasts: `estimated_run_time` of the answer. */
const DURATION = sql.fragment`t.total_run_time + case when t.state_type = 'RUNNING'
  then greatest(0, extract(epoch from now() - t.state_timestamp)) else 0 end`
const ORDERS = {
  ID_DESC: sql.fragment`t.id desc`,
  EXPECTED_START_TIME_ASC: sql.fragment`t.expected_start_time, t.id`,
  EXPECTED_START_TIME_DESC: sql.fragment`t.expected_start_time desc, t.id desc`,
  NAME_ASC: sql.fragment`t.name, t.id`,
  NAME_DESC: sql.fragment`t.name desc, t.id desc`,
  NEXT_SCHEDULED_START_TIME_ASC: sql.fragment`t.next_scheduled_start_time, t.id`,
  END_TIME_DESC: sql.fragment`t.end_time desc, t.id desc`,
  DURATION_ASC: sql.fragment`${DURATION}, t.expected_start_time desc, t.id desc`,
  DURATION_DESC: sql.fragment`${DURATION} desc, t.expected_start_time desc, t.id desc`,
}

export function taskRunLists(app: Api, { store, now }: Pick<OrchestrationNeeds, 'store' | 'now'>): void {
  app.get(
    `/task_runs/${ID}`,
    { schema: { params: Params, response: { 200: TaskRunResponse } } },
    async ({ params }) => {
      const run = await store.read((tx) => taskRunTable.find(tx, sql.fragment`t.id = ${params.id}`))
      if (run === null) throw new NotFound('Task not found')
      return taskRunResponse(run, now())
    },
  )

  listRoutes(app, store, {
    name: 'task_runs',
    table: taskRunTable,
    where: taskRunsWhere,
    orders: ORDERS,
    order: 'ID_DESC',
    response: TaskRunResponse,
    answer(rows) {
      const until = now()
      return rows.map((row) => taskRunResponse(row, until))
    },
  })

  app.post(
    '/task_runs/history',
    { schema: { body: HistoryBody, response: { 200: Type.Array(HistoryInterval) } } },
    ({ body }) => {
      const range = historyRange(body)
      return store.read((tx) => runHistory(tx, 'task_run', taskRunsWhere(historyFilters(body)), range))
    },
  )

  app.get(`/task_run_states/${ID}`, { schema: { params: Params, response: { 200: State } } }, async ({ params }) => {
    const [state] = await statesWhere(sql.fragment`t.id = ${params.id}`)
    if (state === undefined) throw new NotFound('Flow run state not found') // so says Prefect's server
    return state
  })

  const Of = Type.Object({ task_run_id: Uuid })
  app.get('/task_run_states/', { schema: { querystring: Of, response: { 200: Type.Array(State) } } }, ({ query }) =>
    statesWhere(sql.fragment`t.task_run_id = ${query.task_run_id}`),
  )

  /** Those of runs that are there, oldest first. */
  async function statesWhere(where: FragmentSqlToken) {
    const known = sql.fragment`${where} and exists (select 1 from task_run r where r.id = t.task_run_id)`
    const rows = await store.read((tx) => taskRunStateTable.select(tx, known, sql.fragment`order by t.timestamp, t.id`))
    return rows.map(stateOf)
  }
}

function stateOf({ id, type, name, timestamp, message, data, state_details }: TaskRunStateRow): State {
  return { id, type, name, timestamp, message, data, state_details }
}
