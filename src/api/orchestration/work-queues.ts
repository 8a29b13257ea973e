/** `/work_queues`: queues by their ids, as clients from before there were pools ask for them. */
import { Type } from '@sinclair/typebox'
import type { WorkQueueRow } from '#src/events/work-pool.ts'
import {
  createQueue,
  DEFAULT_POOL,
  deleteQueue,
  ensureDefaultPool,
  POLLED_WITHIN_SECONDS,
  plusSeconds,
  queuesPolled,
  updateQueue,
} from '#src/orchestration/index.ts'
import { WorkQueueFilter } from '#src/store/filters/work-pool.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import { sql } from '#src/store/sql.ts'
import { workPoolTable, workQueueTable } from '#src/store/work-pool.ts'
import { NotFound, StateUnfit } from '../../errors.ts'
import type { Api } from '../route.ts'
import { ID } from './conventions.ts'
import { limitOf, maybe, Nothing, Paging, Params, When } from './fields.ts'
import { FlowRunResponse, flowRunOf } from './flow-run-response.ts'
import type { OrchestrationNeeds } from './needs.ts'
import { handOut } from './work-handout.ts'
import { queueOf, WorkQueueCreate, WorkQueueResponse, WorkQueueUpdate } from './work-pool-schemas.ts'
import { answerQueue, pageOfQueues, queueChanges } from './work-queue-answers.ts'

const Filter = Type.Object({ work_queues: maybe(WorkQueueFilter), ...Paging })
const Poll = Type.Object({ scheduled_before: maybe(When), limit: Paging.limit })
const Health = Type.Object({
  healthy: Type.Boolean(),
  late_runs_count: Type.Integer(),
  last_polled: WorkQueueResponse.properties.last_polled,
  health_check_policy: Type.Object({
    maximum_late_runs: Type.Integer(),
    maximum_seconds_since_last_polled: Type.Integer(),
  }),
})
const POLICY = { maximum_late_runs: 0, maximum_seconds_since_last_polled: POLLED_WITHIN_SECONDS }

export function workQueues(app: Api, needs: OrchestrationNeeds): void {
  const { store, now } = needs

  app.post(
    '/work_queues/',
    { schema: { body: WorkQueueCreate, response: { 201: WorkQueueResponse } } },
    async ({ body }, reply) =>
      reply.code(201).send(queueOf(await createQueue(needs, await ensureDefaultPool(needs), body), 0)),
  )

  app.get(
    `/work_queues/${ID}`,
    { schema: { params: Params, response: { 200: WorkQueueResponse } } },
    async ({ params }) => answerQueue(store, await queueWith(params.id)),
  )

  app.get(
    '/work_queues/name/:name',
    { schema: { params: Type.Object({ name: Type.String() }), response: { 200: WorkQueueResponse } } },
    async ({ params }) => {
      // Clients that know no pools mean the queue that they made: it is in the default pool.
      const [queue] = await store.read((tx) =>
        workQueueTable.select(
          tx,
          sql.fragment`t.name = ${params.name}`,
          sql.fragment`order by (t.work_pool_name = ${DEFAULT_POOL}) desc, t.created, t.id limit 1`,
        ),
      )
      if (queue === undefined) throw new NotFound('work queue not found')
      return answerQueue(store, queue)
    },
  )

  app.patch(
    `/work_queues/${ID}`,
    { schema: { params: Params, body: WorkQueueUpdate, response: { 204: Nothing } } },
    async ({ params, body }, reply) => {
      const queue = await queueWith(params.id, `Work Queue ${params.id} not found`)
      await updateQueue(needs, queue, queueChanges(body))
      return reply.code(204).send(null)
    },
  )

  app.delete(
    `/work_queues/${ID}`,
    { schema: { params: Params, response: { 204: Nothing } } },
    async ({ params }, reply) => {
      const queue = await queueWith(params.id)
      const pool = await store.read((tx) => workPoolTable.find(tx, sql.fragment`t.id = ${queue.work_pool_id}`))
      if (pool?.default_queue_id === queue.id) throw new StateUnfit("Can't delete a pool's default queue.")
      await deleteQueue(needs, queue)
      return reply.code(204).send(null)
    },
  )

  app.post(
    '/work_queues/filter',
    { schema: { body: Filter, response: { 200: Type.Array(WorkQueueResponse) } } },
    ({ body }) => pageOfQueues(store, sql.fragment`true`, body),
  )

  app.post(
    `/work_queues/${ID}/get_runs`,
    { schema: { params: Params, body: Poll, response: { 200: Type.Array(FlowRunResponse) } } },
    async ({ params, body, headers }) => {
      const queue = await queueWith(params.id)
      const runs = await handOut(store, null, [queue], { ...body, limit: limitOf(body) })
      // Prefect's pages ask for this too, and run nothing.
      if (headers['x-prefect-ui'] === undefined) await queuesPolled(needs, [queue])
      return runs.map((run) => flowRunOf(run, now()))
    },
  )

  app.get(
    `/work_queues/${ID}/status`,
    { schema: { params: Params, response: { 200: Health } } },
    async ({ params }) => {
      const { id, last_polled } = await queueWith(params.id)
      const late_runs_count = await store.read((tx) =>
        flowRunTable.count(tx, sql.fragment`t.work_queue_id = ${id} and t.state_name = 'Late'`),
      )
      const isPolled = last_polled !== null && last_polled > plusSeconds(now(), -POLLED_WITHIN_SECONDS)
      return {
        healthy: late_runs_count <= POLICY.maximum_late_runs && isPolled,
        late_runs_count,
        last_polled,
        health_check_policy: POLICY,
      }
    },
  )

  async function queueWith(id: string, sentence = 'work queue not found'): Promise<WorkQueueRow> {
    const queue = await store.read((tx) => workQueueTable.find(tx, sql.fragment`t.id = ${id}`))
    if (queue === null) throw new NotFound(sentence)
    return queue
  }
}
