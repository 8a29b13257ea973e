/** `/flows`: what has runs. A flow is made by its name, and made once. */
import { type Static, Type } from '@sinclair/typebox'
import { Flow as Row } from '#src/events/flow.ts'
import { deleteRunsOfFlow, derivedId, FLOWS } from '#src/orchestration/index.ts'
import { deploymentTable } from '#src/store/deployment.ts'
import { flowsWhere } from '#src/store/filters/runs.ts'
import { flowTable } from '#src/store/flow.ts'
import { sql } from '#src/store/sql.ts'
import { NotFound } from '../../errors.ts'
import type { Api } from '../route.ts'
import { ID } from './conventions.ts'
import { deleteDeployment } from './deployment-commands.ts'
import { Labels, maybe, Name, Nothing, Params, Tags } from './fields.ts'
import { listRoutes } from './lists.ts'
import type { OrchestrationNeeds } from './needs.ts'

const Flow = Type.Omit(Row, ['version'])
const Create = Type.Object(
  { name: Name, tags: Type.Optional(Tags), labels: maybe(Labels) },
  { additionalProperties: false },
)
const Update = Type.Object({ tags: Type.Optional(Tags) }, { additionalProperties: false })
const ORDERS = {
  CREATED_DESC: sql.fragment`t.created desc, t.id desc`,
  UPDATED_DESC: sql.fragment`t.updated desc, t.id desc`,
  NAME_ASC: sql.fragment`t.name`,
  NAME_DESC: sql.fragment`t.name desc`,
}

export function flows(app: Api, needs: OrchestrationNeeds): void {
  const { commands, store } = needs

  app.post('/flows/', { schema: { body: Create, response: { 200: Flow, 201: Flow } } }, async ({ body }, reply) => {
    const { name, tags = [], labels } = body
    const id = derivedId('flow', name)
    const { row, isNew } = await commands.record(FLOWS, id, {
      type: 'create',
      fields: { id, name, tags, labels: labels ?? {} },
    })
    return reply.code(isNew ? 201 : 200).send(flowOf(row as Static<typeof Row>))
  })

  app.get(`/flows/${ID}`, { schema: { params: Params, response: { 200: Flow } } }, ({ params }) =>
    found(sql.fragment`t.id = ${params.id}`),
  )

  app.get(
    '/flows/name/:name',
    { schema: { params: Type.Object({ name: Type.String() }), response: { 200: Flow } } },
    ({ params }) => found(sql.fragment`t.name = ${params.name}`),
  )

  app.patch(
    `/flows/${ID}`,
    { schema: { params: Params, body: Update, response: { 204: Nothing } } },
    async ({ params, body }, reply) => {
      const { row } = await commands.record(FLOWS, params.id, { type: 'update', changes: body })
      if (row === null) throw new NotFound('Flow not found')
      return reply.code(204).send(null)
    },
  )

  app.delete(`/flows/${ID}`, { schema: { params: Params, response: { 204: Nothing } } }, async ({ params }, reply) => {
    await found(sql.fragment`t.id = ${params.id}`)
    await deleteFlow(params.id)
    return reply.code(204).send(null)
  })

  listRoutes(app, store, {
    name: 'flows',
    table: flowTable,
    where: flowsWhere,
    orders: ORDERS,
    order: 'NAME_ASC',
    response: Flow,
    answer: (rows) => rows.map(flowOf),
    remove: deleteFlow,
  })

  /** A flow goes with its deployments and its runs, as on Prefect's server. */
  async function deleteFlow(id: string): Promise<void> {
    const deployments = await deploymentTable.select(store.queries, sql.fragment`t.flow_id = ${id}`)
    for (const deployment of deployments) await deleteDeployment(needs, deployment.id)
    await deleteRunsOfFlow(needs, id)
    await commands.record(FLOWS, id, { type: 'delete' })
  }

  async function found(where: Parameters<typeof flowTable.find>[1]) {
    const row = await store.read((tx) => flowTable.find(tx, where))
    if (row === null) throw new NotFound('Flow not found')
    return flowOf(row)
  }
}

function flowOf({ version: _, ...flow }: Static<typeof Row>): Static<typeof Flow> {
  return flow
}
