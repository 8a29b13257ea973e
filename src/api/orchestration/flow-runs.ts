/** `/flow_runs`: runs are made, read, changed and deleted here; their states change in flow-run-states.ts. */

import type { Static } from '@sinclair/typebox'
import type { FlowRunRow } from '#src/events/flow-run.ts'
import { deleteFlowRun, newRunId, poolNamed, queueNamed, queuesOf } from '#src/orchestration/index.ts'
import { flowTable } from '#src/store/flow.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import { sql } from '#src/store/sql.ts'
import { Conflict, NotFound, StateUnfit } from '../../errors.ts'
import type { Api } from '../route.ts'
import { ID, INTEGRITY } from './conventions.ts'
import { checkRunVariables, findDeployment } from './deployment-commands.ts'
import { Labels, Nothing, Params, uuid } from './fields.ts'
import { FlowRunResponse, flowRunOf } from './flow-run-response.ts'
import { changesOf, FlowRunChange, FlowRunCreate, newRun } from './flow-run-schemas.ts'
import type { OrchestrationNeeds } from './needs.ts'
import { refuseUnknown } from './references.ts'
import { proposedState } from './states.ts'

export function flowRuns(app: Api, needs: OrchestrationNeeds): void {
  const { commands, store, now } = needs

  app.post(
    '/flow_runs/',
    { schema: { body: FlowRunCreate, response: { 200: FlowRunResponse, 201: FlowRunResponse } } },
    async ({ body }, reply) => {
      const flow_id = uuid(body.flow_id)
      const flow = await flowTable.find(store.queries, sql.fragment`t.id = ${flow_id}`)
      if (flow === null) throw new Conflict(INTEGRITY)
      await refuseUnknown(needs, body)
      const wanted = { ...newRun(body), ...(await placeOf(body)), flow_id, flow_name: flow.name }
      const id = await newRunId(needs, wanted)
      const run = { ...wanted, id }
      const state = body.state ? proposedState(body.state) : ({ type: 'PENDING' } as const)
      const answer = await commands.flowRun(id, { type: 'create', run, state })
      if (answer.kind === 'none') throw new Error('a run that is made is there')
      return reply.code(answer.isNew ? 201 : 200).send(flowRunOf(answer.run, now()))
    },
  )

  app.get(`/flow_runs/${ID}`, { schema: { params: Params, response: { 200: FlowRunResponse } } }, async ({ params }) =>
    flowRunOf(await runOf(params.id), now()),
  )

  app.patch(
    `/flow_runs/${ID}`,
    { schema: { params: Params, body: FlowRunChange, response: { 204: Nothing } } },
    async ({ params, body }, reply) => {
      if (body.job_variables) await checkVariables(await runOf(params.id), body.job_variables)
      await update(params.id, changesOf(body))
      return reply.code(204).send(null)
    },
  )

  app.patch(
    `/flow_runs/${ID}/labels`,
    { schema: { params: Params, body: Labels, response: { 204: Nothing } } },
    async ({ params, body }, reply) => {
      await update(params.id, { labels: body })
      return reply.code(204).send(null)
    },
  )

  app.delete(
    `/flow_runs/${ID}`,
    { schema: { params: Params, response: { 204: Nothing } } },
    async ({ params }, reply) => {
      await runOf(params.id)
      await deleteFlowRun(needs, params.id)
      return reply.code(204).send(null)
    },
  )

  /** The pool and the queue that a run goes to without a deployment. @throws NotFound without such ones */
  async function placeOf({ work_pool_name, work_queue_name }: Static<typeof FlowRunCreate>) {
    if (!work_pool_name) return {}
    const pool = await poolNamed(needs, work_pool_name)
    const queue = work_queue_name
      ? await queueNamed(needs, work_pool_name, work_queue_name)
      : (await queuesOf(store, pool.id)).find(({ id }) => id === pool.default_queue_id)
    return {
      work_pool_id: pool.id,
      work_pool_name: pool.name,
      work_queue_id: queue?.id ?? null,
      work_queue_name: queue?.name ?? null,
    }
  }

  async function runOf(id: string): Promise<FlowRunRow> {
    const run = await flowRunTable.find(store.queries, sql.fragment`t.id = ${id}`)
    if (run === null) throw new NotFound('Flow run not found')
    return run
  }

  /** Where a run goes is settled once it has gone there. */
  async function checkVariables({ state_type, deployment_id }: FlowRunRow, variables: object): Promise<void> {
    if (state_type !== 'SCHEDULED')
      throw new StateUnfit(`Job variables for a flow run in state ${state_type} cannot be updated`)
    const deployment = deployment_id === null ? null : await findDeployment(needs, deployment_id)
    if (deployment === null) throw new StateUnfit('A deployment for the flow run could not be found')
    await checkRunVariables(needs, 'Error updating flow run', deployment, variables)
  }

  async function update(id: string, changes: ReturnType<typeof changesOf>): Promise<void> {
    const answer = await commands.flowRun(id, { type: 'update', changes })
    if (answer.kind === 'none') throw new NotFound('Flow run not found')
  }
}
