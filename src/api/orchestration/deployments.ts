/** `/deployments`: made, found, changed, deleted. Their runs are in deployment-runs.ts, their schedules in deployment-schedules.ts. */
import { Type } from '@sinclair/typebox'
import type { DeploymentRow } from '#src/events/deployment.ts'
import { DEPLOYMENTS, deleteScheduledRuns } from '#src/orchestration/index.ts'
import { concurrencyLimitTable } from '#src/store/concurrency-limit.ts'
import { deploymentTable } from '#src/store/deployment.ts'
import { deploymentsWhere } from '#src/store/filters/deployments.ts'
import { type FragmentSqlToken, sql } from '#src/store/sql.ts'
import { workQueueTable } from '#src/store/work-pool.ts'
import { NotFound } from '../../errors.ts'
import type { Api } from '../route.ts'
import { ID } from './conventions.ts'
import { createDeployment, deleteDeployment, findDeployment, updateDeployment } from './deployment-commands.ts'
import { DeploymentCreate, DeploymentResponse, DeploymentUpdate, deploymentOf } from './deployment-schemas.ts'
import { Nothing, Params } from './fields.ts'
import { listRoutes } from './lists.ts'
import type { OrchestrationNeeds } from './needs.ts'
import { queueOf, WorkQueueResponse } from './work-pool-schemas.ts'

const ORDERS = {
  CREATED_DESC: sql.fragment`t.created desc, t.id desc`,
  UPDATED_DESC: sql.fragment`t.updated desc, t.id desc`,
  NAME_ASC: sql.fragment`t.name, t.id`,
  NAME_DESC: sql.fragment`t.name desc, t.id desc`,
}
const ByName = Type.Object({ flow: Type.String(), deployment: Type.String() })

export function deployments(app: Api, needs: OrchestrationNeeds): void {
  const { commands, store, now } = needs

  app.post(
    '/deployments/',
    { schema: { body: DeploymentCreate, response: { 200: DeploymentResponse, 201: DeploymentResponse } } },
    async ({ body }, reply) => {
      const { row, isNew } = await createDeployment(needs, body)
      return reply.code(isNew ? 201 : 200).send((await answered([row]))[0] as DeploymentResponse)
    },
  )

  app.patch(
    `/deployments/${ID}`,
    { schema: { params: Params, body: DeploymentUpdate, response: { 204: Nothing } } },
    async ({ params, body }, reply) => {
      await updateDeployment(needs, params.id, body)
      return reply.code(204).send(null)
    },
  )

  app.get(`/deployments/${ID}`, { schema: { params: Params, response: { 200: DeploymentResponse } } }, ({ params }) =>
    found(sql.fragment`t.id = ${params.id}`),
  )

  app.get(
    '/deployments/name/:flow/:deployment',
    { schema: { params: ByName, response: { 200: DeploymentResponse } } },
    ({ params }) => found(sql.fragment`t.flow_name = ${params.flow} and t.name = ${params.deployment}`),
  )

  app.delete(
    `/deployments/${ID}`,
    { schema: { params: Params, response: { 204: Nothing } } },
    async ({ params }, reply) => {
      await deleteDeployment(needs, params.id)
      return reply.code(204).send(null)
    },
  )

  listRoutes(app, store, {
    name: 'deployments',
    table: deploymentTable,
    where: deploymentsWhere,
    orders: ORDERS,
    order: 'NAME_ASC',
    response: DeploymentResponse,
    answer: answered,
    remove: (id) => deleteDeployment(needs, id),
  })

  for (const [path, paused] of [
    ['pause_deployment', true],
    ['resume_deployment', false],
  ] as const)
    app.post(
      `/deployments/${ID}/${path}`,
      { schema: { params: Params, response: { 200: Nothing } } },
      async ({ params }) => {
        const { row } = await commands.record(DEPLOYMENTS, params.id, { type: 'update', changes: { paused } })
        if (row === null) throw new NotFound('Deployment not found')
        if (paused) await deleteScheduledRuns(needs, params.id, { autoOnly: true, after: null })
        return null
      },
    )

  app.get(
    `/deployments/${ID}/work_queue_check`,
    { schema: { params: Params, response: { 200: Type.Array(WorkQueueResponse) } } },
    async ({ params }) => {
      const row = await findDeployment(needs, params.id)
      if (row === null) throw new NotFound('Deployment not found')
      const queues = await store.read((tx) => workQueueTable.select(tx, sql.fragment`t.id = ${row.work_queue_id}`))
      return queues.map((queue) => queueOf(queue, null))
    },
  )

  async function found(where: FragmentSqlToken): Promise<DeploymentResponse> {
    const row = await store.read((tx) => deploymentTable.find(tx, where))
    if (row === null) throw new NotFound('Deployment not found')
    return (await answered([row]))[0] as DeploymentResponse
  }

  /** With the limits that they have. */
  async function answered(rows: readonly DeploymentRow[]): Promise<DeploymentResponse[]> {
    const ids = rows.map(({ concurrency_limit_id }) => concurrency_limit_id).filter((id) => id !== null)
    const limits =
      ids.length === 0
        ? []
        : await store.read((tx) =>
            concurrencyLimitTable.select(tx, sql.fragment`t.id = any(${sql.array(ids, 'uuid')})`),
          )
    return rows.map((row) => deploymentOf(row, limits.find(({ id }) => id === row.concurrency_limit_id) ?? null, now()))
  }
}
