/** Work pools: made and deleted, with all that belongs to them. */
import pMap from 'p-map'
import { Conflict, NotFound } from '#src/errors.ts'
import type { WorkPoolRow } from '#src/events/work-pool.ts'
import { sql } from '#src/store/sql.ts'
import { workerTable, workPoolTable } from '#src/store/work-pool.ts'
import { derivedId } from '../ids.ts'
import { type PoolNeeds, poolNamed, queueNamed, queuesOf } from './find.ts'
import { WORK_POOLS, WORKERS } from './kinds.ts'
import { createQueue, deleteQueue } from './queues.ts'

/** The pool of queues that were made without one, as old clients do. */
export const DEFAULT_POOL = 'default-agent-pool'
const DEFAULT_QUEUE = 'default'
const AT_ONCE = 20

/** A pool that keeps nothing. */
export const NO_STORAGE = {
  bundle_upload_step: null,
  bundle_execution_step: null,
  default_result_storage_block_id: null,
}

/** Makes a pool, and its queue `default` before it. @throws Conflict when there is one of its name */
export async function createPool(
  needs: PoolNeeds,
  wanted: Omit<WorkPoolRow, 'id' | 'version' | 'created' | 'updated' | 'status' | 'default_queue_id'>,
): Promise<WorkPoolRow> {
  const id = derivedId('work-pool', wanted.name)
  const exists = new Conflict('A work pool with this name already exists.')
  if ((await needs.store.read((tx) => workPoolTable.find(tx, sql.fragment`t.id = ${id}`))) !== null) throw exists
  const pool = { id, name: wanted.name }
  const queue = await createQueue(needs, pool, {
    name: DEFAULT_QUEUE,
    description: "The work pool's default queue.",
  }).catch((error: unknown) => {
    // Left behind by somebody who died before the pool was there.
    if (error instanceof Conflict) return queueNamed(needs, wanted.name, DEFAULT_QUEUE)
    throw error
  })
  const status = wanted.is_paused ? ('PAUSED' as const) : ('NOT_READY' as const)
  const { row, isNew } = await needs.commands.record(WORK_POOLS, id, {
    type: 'create',
    fields: { ...wanted, id, status, default_queue_id: queue.id },
  })
  if (!isNew) throw exists
  return row as WorkPoolRow
}

/** The pool of queues without one, made when it isn't there. */
export async function ensureDefaultPool(needs: PoolNeeds): Promise<WorkPoolRow> {
  try {
    return await poolNamed(needs, DEFAULT_POOL)
  } catch (error) {
    if (!(error instanceof NotFound)) throw error
  }
  try {
    return await createPool(needs, {
      name: DEFAULT_POOL,
      description: 'A default work pool for queues that were made without one.',
      type: 'prefect-agent',
      base_job_template: {},
      is_paused: false,
      concurrency_limit: null,
      storage_configuration: NO_STORAGE,
    })
  } catch (error) {
    if (error instanceof Conflict) return poolNamed(needs, DEFAULT_POOL)
    throw error
  }
}

/** Deletes a pool with its queues and workers. Deployments that used it stay, without one. */
export async function deletePool(needs: PoolNeeds, pool: WorkPoolRow): Promise<void> {
  const { commands, store } = needs
  for (const queue of await queuesOf(store, pool.id)) await deleteQueue(needs, queue)
  const workers = await store.read((tx) => workerTable.select(tx, sql.fragment`t.work_pool_id = ${pool.id}`))
  await pMap(workers, ({ id }) => commands.record(WORKERS, id, { type: 'delete' }), { concurrency: AT_ONCE })
  await commands.record(WORK_POOLS, pool.id, { type: 'delete' })
}
