/** Who is there: workers that say so, and whoever asks for the runs of queues and deployments. */
import pMap from 'p-map'
import type { DeploymentRow } from '#src/events/deployment.ts'
import type { WorkerRow, WorkPoolRow, WorkQueueRow } from '#src/events/work-pool.ts'
import { deploymentTable } from '#src/store/deployment.ts'
import { type FragmentSqlToken, sql } from '#src/store/sql.ts'
import { DEPLOYMENTS } from '../deployment/kind.ts'
import { derivedId } from '../ids.ts'
import { plusSeconds } from '../instants.ts'
import type { PoolNeeds } from './find.ts'
import { WORK_POOLS, WORK_QUEUES, WORKERS } from './kinds.ts'

const AT_ONCE = 20

/** Polled again sooner than this, nothing is noted. The foreman waits longer before it takes a thing for abandoned. */
const POLL_NOTED_SECONDS = 10
/** Who was not polled for so long is not ready. */
export const POLLED_WITHIN_SECONDS = 60

/** Notes that a worker is there; its pool is ready with it. */
export async function workerSeen(
  { commands, now }: PoolNeeds,
  pool: WorkPoolRow,
  { name, intervalSeconds }: { readonly name: string; readonly intervalSeconds: number | null },
): Promise<WorkerRow> {
  const id = derivedId('worker', pool.id, name)
  const seen = { last_heartbeat_time: now(), status: 'ONLINE' as const }
  const made = await commands.record(WORKERS, id, {
    type: 'create',
    fields: {
      id,
      name,
      work_pool_id: pool.id,
      work_pool_name: pool.name,
      heartbeat_interval_seconds: intervalSeconds,
      ...seen,
    },
  })
  const interval = intervalSeconds === null ? {} : { heartbeat_interval_seconds: intervalSeconds }
  const { row } = made.isNew
    ? made
    : await commands.record(WORKERS, id, { type: 'update', changes: { ...seen, ...interval } })
  if (pool.status === 'NOT_READY')
    await commands.record(WORK_POOLS, pool.id, {
      type: 'update',
      changes: ({ status }): Partial<WorkPoolRow> => (status === 'NOT_READY' ? { status: 'READY' } : {}),
    })
  return row as WorkerRow
}

/** Notes that somebody asked for the runs of these queues, and of the deployments that use them. */
export async function queuesPolled(needs: PoolNeeds, queues: readonly WorkQueueRow[]): Promise<void> {
  const { commands, store, now } = needs
  const at = now()
  const before = plusSeconds(at, -POLL_NOTED_SECONDS)
  const isDue = (row: Pick<WorkQueueRow, 'status' | 'last_polled'>) =>
    row.status === 'NOT_READY' || row.last_polled === null || row.last_polled < before
  await pMap(
    queues.filter(isDue),
    ({ id }) =>
      commands.record(WORK_QUEUES, id, {
        type: 'update',
        changes: (row): Partial<WorkQueueRow> =>
          isDue(row) ? { last_polled: at, status: row.status === 'PAUSED' ? 'PAUSED' : 'READY' } : {},
      }),
    { concurrency: AT_ONCE },
  )
  const ids = queues.map(({ id }) => id)
  if (ids.length > 0)
    await deploymentsPolled({ commands, store, now }, sql.fragment`t.work_queue_id = any(${sql.array(ids, 'uuid')})`)
}

/** Notes that somebody asked for the runs of these deployments. */
export async function deploymentsPolled({ commands, store, now }: PoolNeeds, which: FragmentSqlToken): Promise<void> {
  const at = now()
  const before = plusSeconds(at, -POLL_NOTED_SECONDS)
  const due = sql.fragment`${which} and
    (t.status = 'NOT_READY' or t.last_polled is null or t.last_polled < ${before}::timestamptz)`
  const deployments = await store.read((tx) => deploymentTable.select(tx, due))
  await pMap(
    deployments,
    ({ id }) =>
      commands.record(DEPLOYMENTS, id, {
        type: 'update',
        changes: (row): Partial<DeploymentRow> =>
          row.status === 'NOT_READY' || row.last_polled === null || row.last_polled < before
            ? { last_polled: at, status: 'READY' }
            : {},
      }),
    { concurrency: AT_ONCE },
  )
}
