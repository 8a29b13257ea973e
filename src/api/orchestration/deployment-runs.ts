/** Runs of deployments: asked for one by one, scheduled ahead, and handed to the runners that poll for them. */
import { Type } from '@sinclair/typebox'
import { AppError } from '#src/errors.ts'
import type { DeploymentRow } from '#src/events/deployment.ts'
import {
  checkParameters,
  deploymentsPolled,
  ensureQueue,
  HORIZON,
  type NewFlowRun,
  newRunId,
  runName,
  runOf,
  scheduleRuns,
} from '#src/orchestration/index.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import { sql } from '#src/store/sql.ts'
import { NotFound, StateUnfit } from '../../errors.ts'
import type { Api } from '../route.ts'
import { ID } from './conventions.ts'
import { checkRunVariables, findDeployment } from './deployment-commands.ts'
import { DeploymentRunCreate } from './deployment-schemas.ts'
import { instant, limitOf, maybe, Nothing, Paging, Params, Uuid, uuid, When } from './fields.ts'
import { FlowRunResponse, flowRunOf } from './flow-run-response.ts'
import { newRun } from './flow-run-schemas.ts'
import type { OrchestrationNeeds } from './needs.ts'
import { refuseUnknown } from './references.ts'
import { proposedState } from './states.ts'

/** Most runs that one request makes, as on Prefect's server. */
const BULK = 100
const BulkResult = Type.Object({
  flow_run_id: Type.Union([Type.String(), Type.Null()]),
  status: Type.Union([Type.Literal('CREATED'), Type.Literal('FAILED')]),
  error: Type.Union([Type.String(), Type.Null()]),
})
const Schedule = Type.Object({
  start_time: maybe(When),
  end_time: maybe(When),
  min_time: maybe(Type.Number()),
  min_runs: maybe(Type.Integer({ minimum: 0 })),
  max_runs: maybe(Type.Integer({ minimum: 0, maximum: 1_000 })),
})
const Poll = Type.Object({ deployment_ids: Type.Array(Uuid), scheduled_before: maybe(When), limit: Paging.limit })

export function deploymentRuns(app: Api, needs: OrchestrationNeeds): void {
  const { store, now } = needs

  app.post(
    `/deployments/${ID}/create_flow_run`,
    { schema: { params: Params, body: DeploymentRunCreate, response: { 200: FlowRunResponse, 201: FlowRunResponse } } },
    async ({ params, body }, reply) => {
      const { run, isNew } = await createRun(needs, await deploymentOf(params.id), body)
      return reply.code(isNew ? 201 : 200).send(flowRunOf(run, now()))
    },
  )

  app.post(
    `/deployments/${ID}/create_flow_run/bulk`,
    {
      schema: {
        params: Params,
        body: Type.Array(DeploymentRunCreate),
        response: { 200: Type.Object({ results: Type.Array(BulkResult) }) },
      },
    },
    async ({ params, body }) => {
      if (body.length > BULK) throw new StateUnfit(`Cannot create more than ${BULK} flow runs at once.`)
      const deployment = await deploymentOf(params.id)
      const results = []
      for (const wanted of body)
        results.push(
          await createRun(needs, deployment, wanted).then(
            ({ run }) => ({ flow_run_id: run.id, status: 'CREATED' as const, error: null }),
            (error: unknown) => {
              if (!(error instanceof AppError)) throw error
              return { flow_run_id: null, status: 'FAILED' as const, error: error.message }
            },
          ),
        )
      return { results }
    },
  )

  app.post(
    `/deployments/${ID}/schedule`,
    { schema: { params: Params, body: Schedule, response: { 200: Nothing } } },
    async ({ params, body }) => {
      const deployment = await findDeployment(needs, params.id)
      if (deployment === null) return null // as on Prefect's server
      const fromMs = Date.parse(instant(body.start_time ?? now()))
      const endMs = body.end_time == null ? fromMs + HORIZON.maxMs : Date.parse(instant(body.end_time))
      const horizon = {
        minRuns: body.min_runs ?? HORIZON.minRuns,
        maxRuns: body.max_runs ?? HORIZON.maxRuns,
        minMs: body.min_time == null ? HORIZON.minMs : body.min_time * 1_000,
        maxMs: endMs - fromMs,
      }
      await scheduleRuns(needs, deployment, { fromMs, horizon })
      return null
    },
  )

  app.post(
    '/deployments/get_scheduled_flow_runs',
    { schema: { body: Poll, response: { 200: Type.Array(FlowRunResponse) } } },
    async ({ body }) => {
      const ids = body.deployment_ids.map(uuid)
      const theirs = sql.fragment`any(${sql.array(ids, 'uuid')})`
      const due = body.scheduled_before == null ? null : instant(body.scheduled_before)
      const before =
        due === null ? sql.fragment`` : sql.fragment`and t.next_scheduled_start_time <= ${due}::timestamptz`
      const runs = await store.read((tx) =>
        flowRunTable.select(
          tx,
          sql.fragment`t.deployment_id = ${theirs} and t.state_type = 'SCHEDULED' ${before}`,
          sql.fragment`order by t.next_scheduled_start_time, t.id limit ${limitOf(body)}`,
        ),
      )
      await deploymentsPolled(needs, sql.fragment`t.id = ${theirs}`)
      return runs.map((run) => flowRunOf(run, now()))
    },
  )

  async function deploymentOf(id: string): Promise<DeploymentRow> {
    const row = await findDeployment(needs, id)
    if (row === null) throw new NotFound('Deployment not found')
    return row
  }
}

async function createRun(needs: OrchestrationNeeds, deployment: DeploymentRow, body: DeploymentRunCreate) {
  const { enforce_parameter_schema, work_queue_name, infrastructure_document_id, parent_task_run_id, ...given } = body
  await refuseUnknown(needs, { parent_task_run_id, infrastructure_document_id })
  const wanted = newRun({ ...given, flow_id: deployment.flow_id })
  const parameters = { ...deployment.parameters, ...body.parameters }
  if (enforce_parameter_schema ?? deployment.enforce_parameter_schema)
    checkParameters('Error creating flow run', parameters, deployment.parameter_openapi_schema)
  await checkRunVariables(needs, 'Error creating flow run', deployment, body.job_variables ?? {})
  const run: Omit<NewFlowRun, 'id'> = {
    ...wanted,
    ...runOf(deployment),
    ...(work_queue_name ? await queueOf(needs, deployment, work_queue_name) : {}),
    name: body.name || runName(),
    parameters,
    tags: [...new Set([...deployment.tags, ...(body.tags ?? [])])],
    labels: { ...deployment.labels, ...body.labels },
    parent_task_run_id: parent_task_run_id ? uuid(parent_task_run_id) : null,
  }
  const state = body.state ? proposedState(body.state) : ({ type: 'SCHEDULED' } as const)
  const id = await newRunId(needs, run)
  const answer = await needs.commands.flowRun(id, { type: 'create', run: { ...run, id }, state })
  if (answer.kind === 'none') throw new Error('a run that is made is there')
  return answer
}

async function queueOf(needs: OrchestrationNeeds, { id, work_pool_name }: DeploymentRow, name: string) {
  if (work_pool_name === null)
    throw new StateUnfit(
      `Cannot create flow run in work queue ${name} because deployment ${id} is not associated with a work pool. ` +
        'Please remove work_pool_name and try again.',
    )
  const queue = await ensureQueue(needs, work_pool_name, name)
  return { work_queue_id: queue.id, work_queue_name: queue.name }
}
