/** `/flow_runs/{id}/graph-v2` and the older `/graph`: what a run consists of, and what of it depends on what. */
import { Type } from '@sinclair/typebox'
import type { FlowRunRow } from '#src/events/flow-run.ts'
import { State } from '#src/events/state.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import { flowRunStateTable } from '#src/store/flow-run-state.ts'
import { runArtifacts, runParts } from '#src/store/run-graph.ts'
import { type CommonQueryMethods, sql } from '#src/store/sql.ts'
import { taskRunTable } from '#src/store/task-run.ts'
import { NotFound, StateUnfit } from '../../errors.ts'
import type { Api } from '../route.ts'
import { ID } from './conventions.ts'
import { instant, maybe, Params, When } from './fields.ts'
import { Graph, graphOf, inputsOf } from './graph.ts'
import type { OrchestrationNeeds } from './needs.ts'
import { TaskRunResponse, taskRunResponse } from './task-run-response.ts'

/** Most of each that a graph has, as on Prefect's server. */
const MAX_NODES = 10_000
const MAX_ARTIFACTS = 10_000

const timed = Type.Pick(TaskRunResponse, ['expected_start_time', 'start_time', 'end_time', 'total_run_time'])
const Dependencies = Type.Object({
  id: Type.String(),
  name: Type.String(),
  upstream_dependencies: Type.Array(Type.Record(Type.String(), Type.Unknown())),
  state: State,
  ...timed.properties,
  estimated_run_time: Type.Number(),
  untrackable_result: Type.Boolean(),
})

export function flowRunGraph(app: Api, { store, now }: Pick<OrchestrationNeeds, 'store' | 'now'>): void {
  app.get(
    `/flow_runs/${ID}/graph-v2`,
    { schema: { params: Params, querystring: Type.Object({ since: maybe(When) }), response: { 200: Graph } } },
    ({ params: { id }, query: { since } }) =>
      store.read(async (tx) => {
        const run = await runOf(tx, id)
        const parts = withinBounds(id, await runParts(tx, id, MAX_NODES + 1))
        const order = sql.fragment`order by t.timestamp`
        return graphOf({
          run: { start_time: run.start_time ?? run.expected_start_time, end_time: run.end_time },
          parts,
          artifacts: await runArtifacts(tx, id, MAX_ARTIFACTS),
          states: await flowRunStateTable.select(tx, sql.fragment`t.flow_run_id = ${id}`, order),
          since: since == null ? null : instant(since),
        })
      }),
  )

  app.get(
    `/flow_runs/${ID}/graph`,
    { schema: { params: Params, response: { 200: Type.Array(Dependencies) } } },
    async ({ params: { id } }) => {
      const until = now()
      const runs = await store.read(async (tx) => {
        await runOf(tx, id)
        const rest = sql.fragment`order by t.id limit ${MAX_NODES + 1}`
        return withinBounds(id, await taskRunTable.select(tx, sql.fragment`t.flow_run_id = ${id}`, rest))
      })
      return runs.map((row) => {
        const run = taskRunResponse(row, until)
        const inputs = inputsOf(row.task_inputs).map(({ input }) => input)
        return {
          id: run.id,
          name: run.name,
          upstream_dependencies: [...new Map(inputs.map((input) => [JSON.stringify(input), input])).values()],
          state: run.state,
          expected_start_time: run.expected_start_time,
          start_time: run.start_time,
          end_time: run.end_time,
          total_run_time: run.total_run_time,
          estimated_run_time: run.estimated_run_time,
          untrackable_result: run.state.state_details.untrackable_result ?? false,
        }
      })
    },
  )
}

async function runOf(tx: CommonQueryMethods, id: string): Promise<FlowRunRow> {
  const run = await flowRunTable.find(tx, sql.fragment`t.id = ${id}`)
  if (run === null) throw new NotFound('Flow run not found')
  return run
}

/** @throws StateUnfit in the words of Prefect's server when there are too many to draw */
function withinBounds<T>(id: string, parts: T[]): T[] {
  if (parts.length > MAX_NODES) throw new StateUnfit(`The graph of flow run ${id} has more than ${MAX_NODES} nodes.`)
  return parts
}
