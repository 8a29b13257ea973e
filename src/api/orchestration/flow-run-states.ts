/** `/flow_runs/{id}/set_state` and what else changes the state of runs; `/flow_run_states`, where they have been. */
import { Type } from '@sinclair/typebox'
import { State } from '#src/events/state.ts'
import { FlowRunFilter, flowRunIs } from '#src/store/filters/flow-run.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import { flowRunStateTable, type StateRow } from '#src/store/flow-run-state.ts'
import { type FragmentSqlToken, sql } from '#src/store/sql.ts'
import { NotFound } from '../../errors.ts'
import type { Api } from '../route.ts'
import { ID } from './conventions.ts'
import { maybe, Params, Uuid } from './fields.ts'
import type { OrchestrationNeeds } from './needs.ts'
import { OrchestrationResult, proposedState, resultOf, StateCreate } from './states.ts'

const SetState = Type.Object({ state: StateCreate, force: maybe(Type.Boolean()) })
/** Most runs that one request changes, as on Prefect's server. */
const BULK = 50
const BulkSetState = Type.Object({
  flow_runs: maybe(FlowRunFilter),
  state: StateCreate,
  force: maybe(Type.Boolean()),
  limit: maybe(Type.Integer({ minimum: 1, maximum: BULK })),
})
const BulkResult = Type.Intersect([Type.Object({ flow_run_id: Type.String() }), OrchestrationResult])

export function flowRunStates(app: Api, { commands, store }: OrchestrationNeeds): void {
  app.post(
    `/flow_runs/${ID}/set_state`,
    { schema: { params: Params, body: SetState, response: { 200: OrchestrationResult, 201: OrchestrationResult } } },
    async ({ params, body }, reply) => {
      const state = proposedState(body.state)
      const answer = await commands.flowRun(params.id, { type: 'set-state', state, force: body.force ?? false })
      if (answer.kind === 'none') throw new NotFound(`Flow run with id ${params.id} not found`)
      return reply.code(answer.isNew ? 201 : 200).send(resultOf(answer))
    },
  )

  app.post(
    '/flow_runs/bulk_set_state',
    { schema: { body: BulkSetState, response: { 200: Type.Object({ results: Type.Array(BulkResult) }) } } },
    async ({ body }) => {
      const which = sql.fragment`${flowRunIs('t', body.flow_runs ?? {})}`
      const rest = sql.fragment`order by t.id desc limit ${body.limit ?? BULK}`
      const runs = await store.read((tx) => flowRunTable.select(tx, which, rest))
      const state = proposedState(body.state)
      const results = []
      for (const { id } of runs) {
        const answer = await commands.flowRun(id, { type: 'set-state', state, force: body.force ?? false })
        if (answer.kind === 'run') results.push({ flow_run_id: id, ...resultOf(answer) })
      }
      return { results }
    },
  )

  app.get(`/flow_run_states/${ID}`, { schema: { params: Params, response: { 200: State } } }, async ({ params }) => {
    const [state] = await statesWhere(sql.fragment`t.id = ${params.id}`)
    if (state === undefined) throw new NotFound('Flow run state not found')
    return state
  })

  const Of = Type.Object({ flow_run_id: Uuid })
  app.get('/flow_run_states/', { schema: { querystring: Of, response: { 200: Type.Array(State) } } }, ({ query }) =>
    statesWhere(sql.fragment`t.flow_run_id = ${query.flow_run_id}`),
  )

  /** Those of runs that are there, oldest first. */
  async function statesWhere(where: FragmentSqlToken) {
    const known = sql.fragment`${where} and exists (select 1 from flow_run r where r.id = t.flow_run_id)`
    const rows = await store.read((tx) => flowRunStateTable.select(tx, known, sql.fragment`order by t.timestamp`))
    return rows.map(stateOf)
  }
}

function stateOf({ id, type, name, timestamp, message, data, state_details }: StateRow): State {
  return { id, type, name, timestamp, message, data, state_details }
}
