/** `/work_pools`: made, found, changed, deleted, and the runs that their workers are handed. */
import { Type } from '@sinclair/typebox'
import type { WorkPoolRow } from '#src/events/work-pool.ts'
import {
  createPool,
  deletePool,
  NO_STORAGE,
  poolNamed,
  queueNamed,
  queuesOf,
  queuesPolled,
  refuseReserved,
  WORK_POOLS,
} from '#src/orchestration/index.ts'
import { WorkPoolFilter, workPoolIs } from '#src/store/filters/work-pool.ts'
import { sql } from '#src/store/sql.ts'
import { workerTable, workPoolTable } from '#src/store/work-pool.ts'
import { slotsOfPools } from '#src/store/work-slots.ts'
import { RequestRefused } from '../../errors.ts'
import type { Api } from '../route.ts'
import { limitOf, maybe, Nothing, Paging, When } from './fields.ts'
import { FlowRunResponse, flowRunOf } from './flow-run-response.ts'
import type { OrchestrationNeeds } from './needs.ts'
import { handOut } from './work-handout.ts'
import {
  poolOf,
  type Storage,
  templateProblem,
  WorkPoolCreate,
  WorkPoolResponse,
  WorkPoolUpdate,
} from './work-pool-schemas.ts'

const ByName = Type.Object({ pool: Type.String() })
const Filter = Type.Object({ work_pools: maybe(WorkPoolFilter), ...Paging })
const Poll = Type.Object({
  work_queue_names: maybe(Type.Array(Type.String())),
  scheduled_before: maybe(When),
  scheduled_after: maybe(When),
  limit: Paging.limit,
})
const WorkerRun = Type.Object({
  work_pool_id: Type.String(),
  work_queue_id: Type.String(),
  flow_run: Type.Omit(FlowRunResponse, ['work_pool_id', 'work_pool_name']),
})
/** All that may be changed of a pool whose name is the server's. */
const RESERVED_MAY: readonly string[] = ['is_paused', 'concurrency_limit']

export function workPools(app: Api, needs: OrchestrationNeeds): void {
  const { commands, store, now } = needs

  app.post(
    '/work_pools/',
    { schema: { body: WorkPoolCreate, response: { 201: WorkPoolResponse } } },
    async ({ body }, reply) => {
      refuseReserved(body.name, "Work pools starting with 'Prefect' are reserved for internal use.")
      const { name, description, type, base_job_template = {}, is_paused, concurrency_limit } = body
      checkTemplate(base_job_template)
      const pool = await createPool(needs, {
        name,
        description: description ?? null,
        type: type ?? 'prefect-agent',
        base_job_template,
        is_paused: is_paused ?? false,
        concurrency_limit: concurrency_limit ?? null,
        storage_configuration: storageOf(body.storage_configuration),
      })
      return reply.code(201).send(poolOf(pool, 0))
    },
  )

  app.get(
    '/work_pools/:pool',
    { schema: { params: ByName, response: { 200: WorkPoolResponse } } },
    async ({ params }) => {
      const pool = await poolNamed(needs, params.pool)
      return poolOf(pool, (await slots([pool])).get(pool.id) ?? 0)
    },
  )

  app.post(
    '/work_pools/filter',
    { schema: { body: Filter, response: { 200: Type.Array(WorkPoolResponse) } } },
    async ({ body }) => {
      const rest = sql.fragment`order by t.name limit ${limitOf(body)} offset ${body.offset ?? 0}`
      const pools = await store.read((tx) => workPoolTable.select(tx, workPoolIs('t', body.work_pools ?? {}), rest))
      const taken = await slots(pools)
      return pools.map((pool) => poolOf(pool, taken.get(pool.id) ?? 0))
    },
  )

  app.post(
    '/work_pools/count',
    { schema: { body: Type.Object({ work_pools: Filter.properties.work_pools }), response: { 200: Type.Integer() } } },
    ({ body }) => store.read((tx) => workPoolTable.count(tx, workPoolIs('t', body.work_pools ?? {}))),
  )

  app.patch(
    '/work_pools/:pool',
    { schema: { params: ByName, body: WorkPoolUpdate, response: { 204: Nothing } } },
    async ({ params, body }, reply) => {
      if (!Object.keys(body).every((name) => RESERVED_MAY.includes(name)))
        refuseReserved(
          params.pool,
          "Work pools starting with 'Prefect' are reserved for internal use and can only be updated to set concurrency limits or pause.",
        )
      const pool = await poolNamed(needs, params.pool)
      const { is_paused, base_job_template, storage_configuration, ...others } = body
      if (base_job_template) checkTemplate(base_job_template)
      const changes: Partial<WorkPoolRow> = {
        ...others,
        ...(base_job_template && { base_job_template }),
        ...(storage_configuration && { storage_configuration: storageOf(storage_configuration) }),
        ...(typeof is_paused === 'boolean' && { is_paused, status: is_paused ? 'PAUSED' : await statusOf(pool) }),
      }
      await commands.record(WORK_POOLS, pool.id, { type: 'update', changes })
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/work_pools/:pool',
    { schema: { params: ByName, response: { 204: Nothing } } },
    async ({ params }, reply) => {
      refuseReserved(
        params.pool,
        "Work pools starting with 'Prefect' are reserved for internal use and can not be deleted.",
      )
      await deletePool(needs, await poolNamed(needs, params.pool))
      return reply.code(204).send(null)
    },
  )

  app.post(
    '/work_pools/:pool/get_scheduled_flow_runs',
    { schema: { params: ByName, body: Poll, response: { 200: Type.Array(WorkerRun) } } },
    async ({ params, body }) => {
      const pool = await poolNamed(needs, params.pool)
      const names = [...new Set(body.work_queue_names)]
      const queues =
        names.length === 0
          ? await queuesOf(store, pool.id)
          : await Promise.all(names.map((name) => queueNamed(needs, pool.name, name)))
      const runs = await handOut(store, pool, queues, { ...body, limit: limitOf(body) })
      await queuesPolled(needs, queues)
      return runs.map((run) => ({
        work_pool_id: pool.id,
        work_queue_id: run.work_queue_id as string,
        flow_run: asHandedOut(flowRunOf(run, now())),
      }))
    },
  )

  /** Of those that have a limit: the others count nothing. */
  function slots(pools: readonly WorkPoolRow[]): Promise<Map<string, number>> {
    const ids = pools.filter(({ concurrency_limit }) => concurrency_limit !== null).map(({ id }) => id)
    return ids.length === 0 ? Promise.resolve(new Map()) : store.read((tx) => slotsOfPools(tx, ids))
  }

  async function statusOf({ id }: WorkPoolRow): Promise<WorkPoolRow['status']> {
    const online = await store.read((tx) =>
      workerTable.find(tx, sql.fragment`t.work_pool_id = ${id} and t.status = 'ONLINE'`),
    )
    return online === null ? 'NOT_READY' : 'READY'
  }
}

function storageOf(storage: Storage | undefined) {
  return { ...NO_STORAGE, ...storage }
}

function checkTemplate(template: Readonly<Record<string, unknown>>): void {
  const problem = templateProblem(template)
  if (problem !== null) throw new RequestRefused(problem)
}

/** The run as workers are handed it: pool and queue are said beside it, and its state is its type and its name. */
function asHandedOut(run: FlowRunResponse) {
  const { work_queue_id, work_pool_id: _id, work_pool_name: _name, state: _state, job_variables, ...rest } = run
  return { ...rest, work_queue_name: null, work_queue_id, state: null, job_variables }
}
