/** `/work_pools/{pool}/workers`: workers say that they are there, and are looked at. */
import { Type } from '@sinclair/typebox'
import { int4 } from '#src/events/formats.ts'
import { poolNamed, WORKERS, workerSeen } from '#src/orchestration/index.ts'
import { WorkerFilter, workerIs } from '#src/store/filters/work-pool.ts'
import { sql } from '#src/store/sql.ts'
import { workerTable } from '#src/store/work-pool.ts'
import { NotFound } from '../../errors.ts'
import type { Api } from '../route.ts'
import { limitOf, maybe, Nothing, Paging } from './fields.ts'
import type { OrchestrationNeeds } from './needs.ts'
import { WorkerResponse } from './work-pool-schemas.ts'

const OfPool = Type.Object({ pool: Type.String() })
const ByName = Type.Object({ pool: Type.String(), worker: Type.String() })
const Heartbeat = Type.Object({ name: Type.String(), heartbeat_interval_seconds: maybe(int4()) })
const Filter = Type.Object({ workers: maybe(WorkerFilter), ...Paging })

export function workers(app: Api, needs: OrchestrationNeeds): void {
  const { commands, store } = needs

  app.post(
    '/work_pools/:pool/workers/heartbeat',
    { schema: { params: OfPool, body: Heartbeat, response: { 204: Nothing } } },
    async ({ params, body }, reply) => {
      const intervalSeconds = body.heartbeat_interval_seconds ?? null
      await workerSeen(needs, await poolNamed(needs, params.pool), { name: body.name, intervalSeconds })
      return reply.code(204).send(null)
    },
  )

  app.post(
    '/work_pools/:pool/workers/filter',
    { schema: { params: OfPool, body: Filter, response: { 200: Type.Array(WorkerResponse) } } },
    async ({ params, body }) => {
      const pool = await poolNamed(needs, params.pool)
      const where = sql.fragment`t.work_pool_id = ${pool.id} and ${workerIs('t', body.workers ?? {})}`
      const rest = sql.fragment`order by t.last_heartbeat_time desc, t.id limit ${limitOf(body)} offset ${body.offset ?? 0}`
      const rows = await store.read((tx) => workerTable.select(tx, where, rest))
      return rows.map(({ version: _, work_pool_name: _name, ...worker }) => worker)
    },
  )

  app.delete(
    '/work_pools/:pool/workers/:worker',
    { schema: { params: ByName, response: { 204: Nothing } } },
    async ({ params }, reply) => {
      const { id } = await poolNamed(needs, params.pool)
      const theirs = sql.fragment`t.work_pool_id = ${id} and t.name = ${params.worker}`
      const worker = await store.read((tx) => workerTable.find(tx, theirs))
      if (worker === null) throw new NotFound('Worker not found.')
      await commands.record(WORKERS, worker.id, { type: 'delete' })
      return reply.code(204).send(null)
    },
  )
}
