/** `/task_runs`: those that clients have the server make and change, for a nested flow or for a worker. */
import { Type } from '@sinclair/typebox'
import { indexedText } from '#src/events/formats.ts'
import { runName, taskRunIdOf } from '#src/orchestration/index.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import { sql } from '#src/store/sql.ts'
import { Conflict, NotFound } from '../../errors.ts'
import type { Api } from '../route.ts'
import { ID, INTEGRITY } from './conventions.ts'
import { maybe, Nothing, Params, uuid } from './fields.ts'
import type { OrchestrationNeeds } from './needs.ts'
import { OrchestrationResult, proposedState, resultWith, StateCreate } from './states.ts'
import { TaskRunResponse, taskRunResponse } from './task-run-response.ts'
import { newTaskRun, TaskRunCreate } from './task-run-schemas.ts'

const SetState = Type.Object({ state: StateCreate, force: maybe(Type.Boolean()) })
const Update = Type.Object({ name: maybe(indexedText()) }, { additionalProperties: false })

export function taskRuns(app: Api, { commands, store, now, newId }: OrchestrationNeeds): void {
  app.post(
    '/task_runs/',
    { schema: { body: TaskRunCreate, response: { 200: TaskRunResponse, 201: TaskRunResponse } } },
    async ({ body }, reply) => {
      const { id, flow_run_id: of, task_key, dynamic_key } = body
      const flow_run_id = of ? uuid(of) : null
      const flowRun =
        flow_run_id === null ? null : await flowRunTable.find(store.queries, sql.fragment`t.id = ${flow_run_id}`)
      if (flow_run_id !== null && flowRun === null) throw new Conflict(INTEGRITY)
      const labels = flowRun && { 'prefect.flow.id': flowRun.flow_id, 'prefect.flow-run.id': flowRun.id }
      // There is one task run for each key within a flow run: whoever asks twice gets the same one.
      const named = flow_run_id === null ? newId() : taskRunIdOf(flow_run_id, task_key, dynamic_key)
      const made = {
        ...newTaskRun(body),
        id: id ? uuid(id) : named,
        flow_run_id,
        labels: { ...labels, ...body.labels },
      }
      const state = body.state ? proposedState(body.state) : ({ type: 'PENDING' } as const)
      const { run, isNew } = await commands.taskRuns.create(made, state)
      return reply.code(isNew ? 201 : 200).send(taskRunResponse(run, now()))
    },
  )

  app.post(
    `/task_runs/${ID}/set_state`,
    { schema: { params: Params, body: SetState, response: { 200: OrchestrationResult, 201: OrchestrationResult } } },
    async ({ params, body }, reply) => {
      const answer = await commands.taskRuns.setState(params.id, proposedState(body.state), body.force ?? false)
      if (answer === null) throw new NotFound(`Task run with id ${params.id} not found`)
      return reply.code(answer.isNew ? 201 : 200).send(resultWith(answer.run.state, answer.ruling))
    },
  )

  app.patch(
    `/task_runs/${ID}`,
    { schema: { params: Params, body: Update, response: { 204: Nothing } } },
    async ({ params, body }, reply) => {
      if (!(await commands.taskRuns.rename(params.id, body.name || runName()))) throw new NotFound('Task run not found')
      return reply.code(204).send(null)
    },
  )

  app.delete(
    `/task_runs/${ID}`,
    { schema: { params: Params, response: { 204: Nothing } } },
    async ({ params }, reply) => {
      if (!(await commands.taskRuns.delete(params.id))) throw new NotFound('Task not found')
      return reply.code(204).send(null)
    },
  )
}
