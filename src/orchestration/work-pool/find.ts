/** Finds work pools and their queues by name. */
import { Forbidden, NotFound } from '#src/errors.ts'
import type { WorkPoolRow, WorkQueueRow } from '#src/events/work-pool.ts'
import type { Store } from '#src/store/pool.ts'
import { CREATED_FIRST } from '#src/store/row-table.ts'
import { sql } from '#src/store/sql.ts'
import { workPoolTable, workQueueTable } from '#src/store/work-pool.ts'
import type { Commands } from '../commands.ts'

export interface PoolNeeds {
  readonly commands: Commands
  readonly store: Pick<Store, 'read'>
  /** Canonical instant. */
  readonly now: () => string
}

/** @throws NotFound in the words of Prefect's server */
export async function poolNamed({ store }: Pick<PoolNeeds, 'store'>, name: string): Promise<WorkPoolRow> {
  const pool = await store.read((tx) => workPoolTable.find(tx, sql.fragment`t.name = ${name}`))
  if (pool === null) throw new NotFound(`Work pool "${name}" not found.`)
  return pool
}

/** @throws NotFound in the words of Prefect's server */
export async function queueNamed(
  { store }: Pick<PoolNeeds, 'store'>,
  pool: string,
  name: string,
): Promise<WorkQueueRow> {
  const queue = await findQueue(store, pool, name)
  if (queue === null) throw new NotFound(`Work pool queue '${pool}/${name}' not found.`)
  return queue
}

/** The queue of a pool; null when there is none of this name. */
export function findQueue(store: Pick<Store, 'read'>, pool: string, name: string): Promise<WorkQueueRow | null> {
  return store.read((tx) =>
    workQueueTable.find(tx, sql.fragment`t.work_pool_name = ${pool} and t.name = ${name}`, CREATED_FIRST),
  )
}

/** The queues of a pool, those of the highest priority first. */
export function queuesOf(store: Pick<Store, 'read'>, poolId: string): Promise<WorkQueueRow[]> {
  return store.read((tx) =>
    workQueueTable.select(tx, sql.fragment`t.work_pool_id = ${poolId}`, sql.fragment`order by t.priority, t.id`),
  )
}

/** Names beginning with `prefect` belong to the server. @throws Forbidden with this sentence */
export function refuseReserved(name: string, sentence: string): void {
  if (name.toLowerCase().startsWith('prefect')) throw new Forbidden(sentence)
}
