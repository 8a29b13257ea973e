/** `/flow_runs/{id}/input`: what is sent to a run, and read by it. */
import { Type } from '@sinclair/typebox'
import { type FlowRunInputRow, FlowRunInput as Row } from '#src/events/flow-run-input.ts'
import { FLOW_RUN_INPUTS, flowRunInputId, type RecordAnswer } from '#src/orchestration/index.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import { flowRunInputTable } from '#src/store/flow-run-input.ts'
import { sql } from '#src/store/sql.ts'
import { Conflict, NotFound } from '../../errors.ts'
import type { Api } from '../route.ts'
import { ID } from './conventions.ts'
import { maybe, Nothing, Params } from './fields.ts'
import type { OrchestrationNeeds } from './needs.ts'

const FlowRunInput = Type.Pick(Row, ['id', 'created', 'updated', 'flow_run_id', 'key', 'value', 'sender'])
const Create = Type.Object({
  key: Type.String({ pattern: '^[a-z0-9-]*$' }),
  value: Type.String(),
  sender: maybe(Type.String()),
})
const Filter = Type.Object({
  prefix: Type.String(),
  limit: maybe(Type.Integer({ minimum: 0 })),
  exclude_keys: maybe(Type.Array(Type.String())),
})
const One = Type.Object({ id: Type.String(), key: Type.String() })

/** Sends a value to a run. Where it has one under that key, that one is answered, and it isn't new. */
export function sendInput(
  { commands }: Pick<OrchestrationNeeds, 'commands'>,
  input: { readonly flow_run_id: string; readonly key: string; readonly value: string; readonly sender: string | null },
): Promise<RecordAnswer<FlowRunInputRow>> {
  const id = flowRunInputId(input.flow_run_id, input.key)
  return commands.record(FLOW_RUN_INPUTS, id, { type: 'create', fields: { id, ...input } })
}

/** Deletes what was sent to a run under a key, if there is something. */
export async function takeBackInput(
  { commands }: Pick<OrchestrationNeeds, 'commands'>,
  flowRunId: string,
  key: string,
): Promise<void> {
  await commands.record(FLOW_RUN_INPUTS, flowRunInputId(flowRunId, key), { type: 'delete' })
}

export function flowRunInput(app: Api, needs: OrchestrationNeeds): void {
  const { store } = needs

  app.post(
    `/flow_runs/${ID}/input`,
    { schema: { params: Params, body: Create, response: { 201: Nothing } } },
    async ({ params, body }, reply) => {
      const run = await flowRunTable.find(store.queries, sql.fragment`t.id = ${params.id}`)
      if (run === null) throw new NotFound('Flow run not found')
      const { key, value, sender = null } = body
      if (!(await sendInput(needs, { flow_run_id: params.id, key, value, sender })).isNew)
        throw new Conflict('A flow run input with this key already exists.')
      return reply.code(201).send(null)
    },
  )

  app.post(
    `/flow_runs/${ID}/input/filter`,
    { schema: { params: Params, body: Filter, response: { 200: Type.Array(FlowRunInput) } } },
    async ({ params, body }) => {
      const { prefix, limit, exclude_keys } = body
      const where = sql.fragment`t.flow_run_id = ${params.id} and starts_with(t.key, ${prefix})
        and t.key <> all(${sql.array(exclude_keys ?? [], 'text')})`
      const rest = sql.fragment`order by t.created, t.id limit ${limit ?? 1}`
      const rows = await store.read((tx) => flowRunInputTable.select(tx, where, rest))
      return rows.map(({ version: _, ...input }) => input)
    },
  )

  app.get(
    `/flow_runs/${ID}/input/:key`,
    { schema: { params: One, response: { 200: Type.String({ description: 'The value, as it was sent.' }) } } },
    async ({ params }, reply) => {
      const input = await find(params.id, params.key)
      return reply.type('text/plain; charset=utf-8').send(input.value)
    },
  )

  app.delete(
    `/flow_runs/${ID}/input/:key`,
    { schema: { params: One, response: { 204: Nothing } } },
    async ({ params }, reply) => {
      await find(params.id, params.key)
      await takeBackInput(needs, params.id, params.key)
      return reply.code(204).send(null)
    },
  )

  async function find(flowRunId: string, key: string) {
    const id = flowRunInputId(flowRunId, key)
    const input = await flowRunInputTable.find(store.queries, sql.fragment`t.id = ${id}`)
    if (input === null) throw new NotFound('Flow run input not found')
    return input
  }
}
