/**
 * Ends what a cancelled run left behind: runs that are cancelling and whose process never says that it ended, and flows
 * that run within a run that was cancelled.
 */
import { flowRunTable } from '#src/store/flow-run.ts'
import { sql } from '#src/store/sql.ts'
import { eachPage } from './pages.ts'
import { defineService } from './service.ts'

export const cancellationCleanup = defineService({
  name: 'cancellation-cleanup',
  title: 'ends what cancelled runs left behind',
  description:
    'Sets runs to Cancelled that are cancelling for too long, and cancels flows within cancelled ones. Without it they stay as they are.',
  setting: 'services.cancellationCleanup.enabled',
  environment: 'MILLRACE_SERVICES_CANCELLATION_CLEANUP_ENABLED',
  isOn: ({ services }) => services.cancellationCleanup.enabled,
  schedule: { everyMs: 20_000 },
  async run({ commands, store, settings, nowMs }, { signal }) {
    const timeoutMs = settings.runs.cancellingTimeoutMs
    const before = new Date(nowMs() - timeoutMs).toISOString()
    const stuck = sql.fragment`t.state_type = 'CANCELLING' and t.state_timestamp < ${before}::timestamptz`
    const timedOut = await eachPage({ store, table: flowRunTable, where: stuck, signal }, {}, ({ id, state_id }) =>
      commands.flowRun(id, {
        type: 'set-state',
        state: {
          type: 'CANCELLED',
          message: `Flow run cancellation timed out after ${timeoutMs / 1_000} seconds.`,
        },
        force: false,
        onlyFrom: state_id,
      }),
    )
    const within = sql.fragment`t.parent_task_run_id is not null
      and t.state_type in ('SCHEDULED', 'PENDING', 'RUNNING', 'PAUSED')
      and exists (select 1 from task_run k join flow_run p on p.id = k.flow_run_id
        where k.id = t.parent_task_run_id and p.state_type = 'CANCELLED')`
    const nested = await eachPage({ store, table: flowRunTable, where: within, signal }, {}, (run) =>
      commands.flowRun(run.id, {
        type: 'set-state',
        state: {
          type: run.deployment_id === null ? 'CANCELLED' : 'CANCELLING',
          message: 'The parent flow run was cancelled.',
        },
        force: false,
        onlyFrom: run.state_id,
      }),
    )
    return { timedOut, nested }
  },
})
