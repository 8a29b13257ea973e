/** `/work_pools/{pool}/queues`: the queues of a pool, by their names. */
import { Type } from '@sinclair/typebox'
import { createQueue, deleteQueue, poolNamed, queueNamed, updateQueue } from '#src/orchestration/index.ts'
import { WorkQueueFilter } from '#src/store/filters/work-pool.ts'
import { sql } from '#src/store/sql.ts'
import { StateUnfit } from '../../errors.ts'
import type { Api } from '../route.ts'
import { maybe, Nothing, Paging } from './fields.ts'
import type { OrchestrationNeeds } from './needs.ts'
import { queueOf, WorkQueueCreate, WorkQueueResponse, WorkQueueUpdate } from './work-pool-schemas.ts'
import { answerQueue, pageOfQueues, queueChanges } from './work-queue-answers.ts'

const OfPool = Type.Object({ pool: Type.String() })
const ByName = Type.Object({ pool: Type.String(), queue: Type.String() })
const Filter = Type.Object({ work_queues: maybe(WorkQueueFilter), ...Paging })

export function workPoolQueues(app: Api, needs: OrchestrationNeeds): void {
  const { store } = needs
  const list = '/work_pools/:pool/queues'
  const one = `${list}/:queue`

  app.post(
    list,
    { schema: { params: OfPool, body: WorkQueueCreate, response: { 201: WorkQueueResponse } } },
    async ({ params, body }, reply) => {
      const queue = await createQueue(needs, await poolNamed(needs, params.pool), body)
      return reply.code(201).send(queueOf(queue, 0))
    },
  )

  app.get(one, { schema: { params: ByName, response: { 200: WorkQueueResponse } } }, async ({ params }) =>
    answerQueue(store, await queueNamed(needs, params.pool, params.queue)),
  )

  app.post(
    `${list}/filter`,
    { schema: { params: OfPool, body: Filter, response: { 200: Type.Array(WorkQueueResponse) } } },
    async ({ params, body }) => {
      const { id } = await poolNamed(needs, params.pool)
      return pageOfQueues(store, sql.fragment`t.work_pool_id = ${id}`, body)
    },
  )

  app.patch(
    one,
    { schema: { params: ByName, body: WorkQueueUpdate, response: { 204: Nothing } } },
    async ({ params, body }, reply) => {
      await poolNamed(needs, params.pool)
      await updateQueue(needs, await queueNamed(needs, params.pool, params.queue), queueChanges(body))
      return reply.code(204).send(null)
    },
  )

  app.delete(one, { schema: { params: ByName, response: { 204: Nothing } } }, async ({ params }, reply) => {
    const pool = await poolNamed(needs, params.pool)
    const queue = await queueNamed(needs, params.pool, params.queue)
    if (queue.id === pool.default_queue_id) throw new StateUnfit("Can't delete a pool's default queue.")
    await deleteQueue(needs, queue)
    return reply.code(204).send(null)
  })
}
