/** `concurrency_status` of work pools and queues: how many slots are taken, and by which runs. */
import { type Static, Type } from '@sinclair/typebox'
import type { FlowRunRow } from '#src/events/flow-run.ts'
import { poolNamed, queuesOf, secondsBetween } from '#src/orchestration/index.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import { type FragmentSqlToken, sql } from '#src/store/sql.ts'
import { workQueueTable } from '#src/store/work-pool.ts'
import { slotsOfQueues } from '#src/store/work-slots.ts'
import { NotFound } from '../../errors.ts'
import type { Api } from '../route.ts'
import { ID } from './conventions.ts'
import { limitOf, maybe, Paginating, Params } from './fields.ts'
import { FlowRunResponse } from './flow-run-response.ts'
import type { OrchestrationNeeds } from './needs.ts'

const { id, name, state_type, state_name, start_time } = FlowRunResponse.properties
const Instant = start_time
const Holder = Type.Object({
  id,
  name,
  state_type,
  state_name,
  start_time,
  state_timestamp: Instant,
  time_in_current_state: Type.Union([Type.Number(), Type.Null()], { description: 'Seconds.' }),
})
const Limit = Type.Union([Type.Integer(), Type.Null()])
const pageFields = { count: Type.Integer(), limit: Type.Integer(), pages: Type.Integer(), page: Type.Integer() }
const PoolStatus = Type.Object({
  active_slots: Type.Integer(),
  concurrency_limit: Limit,
  queues: Type.Array(
    Type.Object({
      queue_id: Type.String(),
      queue_name: Type.String(),
      active_slots: Type.Integer(),
      concurrency_limit: Limit,
      flow_runs: Type.Array(Holder),
      flow_run_count: Type.Integer(),
    }),
  ),
  ...pageFields,
})
const QueueStatus = Type.Object({
  active_slots: Type.Integer(),
  concurrency_limit: Limit,
  flow_runs: Type.Array(Holder),
  ...pageFields,
})
const PoolBody = Type.Object({ ...Paginating, flow_run_limit: maybe(Type.Integer({ minimum: 0, maximum: 200 })) })
const SHOWN_RUNS = 10

export function workConcurrency(app: Api, needs: OrchestrationNeeds): void {
  const { store, now } = needs

  app.post(
    '/work_pools/:pool/concurrency_status',
    { schema: { params: Type.Object({ pool: Type.String() }), body: PoolBody, response: { 200: PoolStatus } } },
    async ({ params, body }) => {
      const pool = await poolNamed(needs, params.pool)
      const all = await queuesOf(store, pool.id)
      const limit = limitOf(body)
      const page = body.page ?? 1
      const taken = await store.read((tx) =>
        slotsOfQueues(
          tx,
          all.map(({ id }) => id),
        ),
      )
      const queues = []
      for (const queue of all.slice((page - 1) * limit, page * limit)) {
        const count = taken.get(queue.id) ?? 0
        const shown =
          count === 0 ? [] : await holders(queue.id, ['PENDING', 'RUNNING'], body.flow_run_limit ?? SHOWN_RUNS, 0)
        queues.push({
          queue_id: queue.id,
          queue_name: queue.name,
          active_slots: count,
          concurrency_limit: queue.concurrency_limit,
          flow_runs: shown,
          flow_run_count: count,
        })
      }
      return {
        active_slots: [...taken.values()].reduce((sum, count) => sum + count, 0),
        concurrency_limit: pool.concurrency_limit,
        queues,
        ...paged(all.length, limit, page),
      }
    },
  )

  app.post(
    `/work_queues/${ID}/concurrency_status`,
    { schema: { params: Params, body: Type.Object(Paginating), response: { 200: QueueStatus } } },
    async ({ params, body }) => {
      const queue = await store.read((tx) => workQueueTable.find(tx, sql.fragment`t.id = ${params.id}`))
      if (queue === null) throw new NotFound('Work queue not found.')
      const limit = limitOf(body)
      const page = body.page ?? 1
      const states = ['PENDING', 'RUNNING', 'CANCELLING']
      const count = await store.read((tx) => flowRunTable.count(tx, holding(queue.id, states)))
      return {
        active_slots: count,
        concurrency_limit: queue.concurrency_limit,
        flow_runs: await holders(queue.id, states, limit, (page - 1) * limit),
        ...paged(count, limit, page),
      }
    },
  )

  async function holders(queueId: string, states: readonly string[], limit: number, offset: number) {
    const rest = sql.fragment`order by t.id limit ${limit} offset ${offset}`
    const runs = await store.read((tx) => flowRunTable.select(tx, holding(queueId, states), rest))
    return runs.map((run) => holderOf(run, now()))
  }
}

function holding(queueId: string, states: readonly string[]): FragmentSqlToken {
  return sql.fragment`t.work_queue_id = ${queueId} and t.state_type = any(${sql.array([...states], 'text')})`
}

function holderOf(run: FlowRunRow, now: string): Static<typeof Holder> {
  const { id, name, state_type, state_name, start_time, state_timestamp } = run
  const time_in_current_state = state_timestamp === null ? null : secondsBetween(state_timestamp, now)
  return { id, name, state_type, state_name, start_time, state_timestamp, time_in_current_state }
}

function paged(count: number, limit: number, page: number) {
  return { count, limit, pages: limit > 0 ? Math.ceil(count / limit) : 0, page }
}
