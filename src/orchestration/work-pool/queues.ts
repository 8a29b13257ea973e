/** The queues of a work pool: made, changed, deleted. */
import pMap from 'p-map'
import { Conflict } from '#src/errors.ts'
import type { WorkPoolRow, WorkQueueRow } from '#src/events/work-pool.ts'
import { deploymentTable } from '#src/store/deployment.ts'
import { sql } from '#src/store/sql.ts'
import { DEPLOYMENTS } from '../deployment/kind.ts'
import { derivedId } from '../ids.ts'
import { plusSeconds } from '../instants.ts'
import { findQueue, type PoolNeeds, poolNamed, queueNamed, queuesOf } from './find.ts'
import { WORK_QUEUES } from './kinds.ts'
import { POLLED_WITHIN_SECONDS } from './presence.ts'

export interface NewQueue {
  readonly name: string
  readonly description?: string | null
  readonly is_paused?: boolean
  readonly concurrency_limit?: number | null
  /** The first that is free when left out. */
  readonly priority?: number | null
  readonly filter?: unknown
}

const AT_ONCE = 20

/** @throws Conflict when the pool has one of this name */
export async function createQueue(
  needs: PoolNeeds,
  pool: Pick<WorkPoolRow, 'id' | 'name'>,
  wanted: NewQueue,
): Promise<WorkQueueRow> {
  const { commands, store } = needs
  const exists = new Conflict(`A work queue with this name already exists in work pool '${pool.name}'.`)
  const others = await queuesOf(store, pool.id)
  if (others.some(({ name }) => name === wanted.name)) throw exists
  const id = freeId(derivedId('work-queue', pool.id, wanted.name), others)
  const { row, isNew } = await commands.record(WORK_QUEUES, id, {
    type: 'create',
    fields: {
      id,
      name: wanted.name,
      description: wanted.description ?? '',
      is_paused: wanted.is_paused ?? false,
      concurrency_limit: wanted.concurrency_limit ?? null,
      priority: wanted.priority ?? firstFree(others.map(({ priority }) => priority)),
      work_pool_id: pool.id,
      work_pool_name: pool.name,
      filter: wanted.filter ?? null,
      last_polled: null,
      status: wanted.is_paused ? 'PAUSED' : 'NOT_READY',
    },
  })
  if (!isNew) throw exists
  if (wanted.priority) await keepPrioritiesApart(needs, pool.id, id)
  return row as WorkQueueRow
}

/** The queue of a pool that exists, made when it isn't there. @throws NotFound without such a pool */
export async function ensureQueue(needs: PoolNeeds, poolName: string, name: string): Promise<WorkQueueRow> {
  const found = await findQueue(needs.store, poolName, name)
  if (found !== null) return found
  const pool = await poolNamed(needs, poolName)
  try {
    return await createQueue(needs, pool, { name })
  } catch (error) {
    if (error instanceof Conflict) return queueNamed(needs, poolName, name)
    throw error
  }
}

/** Changes a queue; paused and let go again, its status goes with that. @throws Conflict when the new name is taken */
export async function updateQueue(
  needs: PoolNeeds,
  queue: WorkQueueRow,
  changes: Partial<
    Pick<WorkQueueRow, 'name' | 'description' | 'is_paused' | 'concurrency_limit' | 'priority' | 'filter'>
  >,
): Promise<void> {
  const { commands, store, now } = needs
  if (changes.name !== undefined && changes.name !== queue.name)
    if ((await queuesOf(store, queue.work_pool_id)).some(({ name }) => name === changes.name))
      throw new Conflict(`A work queue with this name already exists in work pool '${queue.work_pool_name}'.`)
  const isRecent = (row: WorkQueueRow) =>
    row.last_polled !== null && row.last_polled > plusSeconds(now(), -POLLED_WITHIN_SECONDS)
  await commands.record(WORK_QUEUES, queue.id, {
    type: 'update',
    changes(row): Partial<WorkQueueRow> {
      const paused = changes.is_paused ?? row.is_paused
      const awake = row.status === 'PAUSED' ? (isRecent(row) ? 'READY' : 'NOT_READY') : row.status
      return { ...changes, status: paused ? 'PAUSED' : awake }
    },
  })
  if (changes.priority !== undefined) await keepPrioritiesApart(needs, queue.work_pool_id, queue.id)
}

/** Deletes a queue; deployments that used it use none. */
export async function deleteQueue(needs: PoolNeeds, queue: WorkQueueRow): Promise<void> {
  await leaveQueue(needs, queue.id)
  await needs.commands.record(WORK_QUEUES, queue.id, { type: 'delete' })
}

async function leaveQueue({ commands, store }: PoolNeeds, queueId: string): Promise<void> {
  const deployments = await store.read((tx) => deploymentTable.select(tx, sql.fragment`t.work_queue_id = ${queueId}`))
  const none = { work_queue_id: null, work_queue_name: null, work_pool_id: null, work_pool_name: null }
  await pMap(deployments, ({ id }) => commands.record(DEPLOYMENTS, id, { type: 'update', changes: none }), {
    concurrency: AT_ONCE,
  })
}

/** Moves others up when they have the priority that a queue was given: as few as make all differ. */
async function keepPrioritiesApart({ commands, store }: PoolNeeds, poolId: string, moved: string): Promise<void> {
  const queues = await queuesOf(store, poolId)
  const ordered = [...queues].sort((a, b) => a.priority - b.priority || (a.id === moved ? -1 : b.id === moved ? 1 : 0))
  let last = 0
  for (const { id, priority } of ordered) {
    last = Math.max(priority, last + 1)
    if (last !== priority) await commands.record(WORK_QUEUES, id, { type: 'update', changes: { priority: last } })
  }
}

function firstFree(taken: readonly number[]): number {
  let free = 1
  while (taken.includes(free)) free++
  return free
}

/** What was created under a name may have another by now: then it keeps the id that the name stands for. */
function freeId(id: string, others: readonly { readonly id: string }[]): string {
  return others.some((other) => other.id === id) ? freeId(derivedId('renamed', id), others) : id
}
