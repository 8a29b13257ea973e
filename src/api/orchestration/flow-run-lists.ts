/** `/flow_runs/filter` and what else asks for many runs: pages, counts, lateness, history. */
import { Type } from '@sinclair/typebox'
import { deleteFlowRun } from '#src/orchestration/index.ts'
import { flowRunsWhere, RunFilters } from '#src/store/filters/runs.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import { averageLateness } from '#src/store/run-estimates.ts'
import { HistoryInterval, runHistory } from '#src/store/run-history.ts'
import { sql } from '#src/store/sql.ts'
import type { Api } from '../route.ts'
import { FlowRunResponse, flowRunOf } from './flow-run-response.ts'
import { HistoryBody, historyFilters, historyRange } from './history.ts'
import { listRoutes } from './lists.ts'
import type { OrchestrationNeeds } from './needs.ts'

const begun = sql.fragment`coalesce(t.start_time, t.expected_start_time)`
const ORDERS = {
  ID_DESC: sql.fragment`t.id desc`,
  START_TIME_ASC: sql.fragment`${begun}, t.id`,
  START_TIME_DESC: sql.fragment`${begun} desc, t.id desc`,
  EXPECTED_START_TIME_ASC: sql.fragment`t.expected_start_time, t.id`,
  EXPECTED_START_TIME_DESC: sql.fragment`t.expected_start_time desc, t.id desc`,
  NAME_ASC: sql.fragment`t.name, t.id`,
  NAME_DESC: sql.fragment`t.name desc, t.id desc`,
  NEXT_SCHEDULED_START_TIME_ASC: sql.fragment`t.next_scheduled_start_time, t.id`,
  END_TIME_DESC: sql.fragment`t.end_time desc, t.id desc`,
}

export function flowRunLists(app: Api, { commands, store, now }: OrchestrationNeeds): void {
  listRoutes(app, store, {
    name: 'flow_runs',
    table: flowRunTable,
    where: flowRunsWhere,
    orders: ORDERS,
    order: 'ID_DESC',
    response: FlowRunResponse,
    answer(rows) {
      const until = now()
      return rows.map((row) => flowRunOf(row, until))
    },
    remove: (id) => deleteFlowRun({ commands, store }, id),
  })

  app.post(
    '/flow_runs/lateness',
    { schema: { body: Type.Object(RunFilters), response: { 200: Type.Union([Type.Number(), Type.Null()]) } } },
    ({ body }) => store.read((tx) => averageLateness(tx, flowRunsWhere(body))),
  )

  app.post(
    '/flow_runs/history',
    { schema: { body: HistoryBody, response: { 200: Type.Array(HistoryInterval) } } },
    ({ body }) => {
      const range = historyRange(body)
      return store.read((tx) => runHistory(tx, 'flow_run', flowRunsWhere(historyFilters(body)), range))
    },
  )
}
