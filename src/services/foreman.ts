/**
 * Sees who is still there: workers by their heartbeats, queues and deployments by who polls for their runs, pools by their
 * workers. Coming back is noted where it happens; only going away has to be looked for.
 */
import type { DeploymentRow } from '#src/events/deployment.ts'
import { instantOfMs } from '#src/events/instant.ts'
import type { WorkerRow, WorkPoolRow, WorkQueueRow } from '#src/events/work-pool.ts'
import { DEPLOYMENTS, POLLED_WITHIN_SECONDS, WORK_POOLS, WORK_QUEUES, WORKERS } from '#src/orchestration/index.ts'
import { deploymentTable } from '#src/store/deployment.ts'
import { sql } from '#src/store/sql.ts'
import { workerTable, workPoolTable, workQueueTable } from '#src/store/work-pool.ts'
import { eachPage } from './pages.ts'
import { defineService } from './service.ts'

/** Heartbeats that a worker may miss, and how far apart they are when it doesn't say; both are Prefect's. */
const MISSED_HEARTBEATS = 3
const HEARTBEAT_SECONDS = 30

export const foreman = defineService({
  name: 'foreman',
  title: 'sees which workers, pools, queues and deployments are ready',
  description: 'Sets to not ready what nobody works for any more. Without it what was ready once stays ready.',
  setting: 'services.foreman.enabled',
  environment: 'MILLRACE_SERVICES_FOREMAN_ENABLED',
  isOn: ({ services }) => services.foreman.enabled,
  schedule: { everyMs: 15_000 },
  async run({ commands, store, nowMs }, { signal }) {
    const startMs = nowMs()
    const polledBefore = instantOfMs(startMs - POLLED_WITHIN_SECONDS * 1_000).iso
    const isSilent = (row: WorkerRow) => lastSeenMs(row) + patienceMs(row) < startMs
    const isAlone = (row: Pick<DeploymentRow, 'last_polled'>) =>
      row.last_polled === null || row.last_polled < polledBefore

    const silent = sql.fragment`t.status = 'ONLINE' and t.last_heartbeat_time < ${instantOfMs(startMs).iso}::timestamptz
      - make_interval(secs => ${MISSED_HEARTBEATS} * coalesce(t.heartbeat_interval_seconds, ${HEARTBEAT_SECONDS}))`
    const workers = await eachPage({ store, table: workerTable, where: silent, signal }, {}, ({ id }) =>
      commands.record(WORKERS, id, {
        type: 'update',
        changes: (row): Partial<WorkerRow> => (isSilent(row) ? { status: 'OFFLINE' } : {}),
      }),
    )
    const deserted = sql.fragment`t.status = 'READY'
      and not exists (select 1 from worker w where w.work_pool_id = t.id and w.status = 'ONLINE')`
    const pools = await eachPage({ store, table: workPoolTable, where: deserted, signal }, {}, ({ id }) =>
      commands.record(WORK_POOLS, id, {
        type: 'update',
        changes: (row): Partial<WorkPoolRow> => (row.status === 'READY' ? { status: 'NOT_READY' } : {}),
      }),
    )
    const alone = sql.fragment`t.status = 'READY' and t.last_polled < ${polledBefore}::timestamptz`
    const queues = await eachPage({ store, table: workQueueTable, where: alone, signal }, {}, ({ id }) =>
      commands.record(WORK_QUEUES, id, {
        type: 'update',
        changes: (row): Partial<WorkQueueRow> =>
          row.status === 'READY' && isAlone(row) ? { status: 'NOT_READY' } : {},
      }),
    )
    const deployments = await eachPage({ store, table: deploymentTable, where: alone, signal }, {}, ({ id }) =>
      commands.record(DEPLOYMENTS, id, {
        type: 'update',
        changes: (row): Partial<DeploymentRow> => (isAlone(row) ? { status: 'NOT_READY' } : {}),
      }),
    )
    return { workers, pools, queues, deployments }
  },
})

function lastSeenMs({ last_heartbeat_time }: WorkerRow): number {
  return last_heartbeat_time === null ? 0 : Date.parse(last_heartbeat_time)
}

function patienceMs({ heartbeat_interval_seconds }: WorkerRow): number {
  return MISSED_HEARTBEATS * (heartbeat_interval_seconds ?? HEARTBEAT_SECONDS) * 1_000
}
