/**
 * Ends what a cancelled run left behind: runs that are cancelling and whose process never says that it ended, and the task
 * runs and flows within a run that was cancelled.
 */
import { flowRunTable } from '#src/store/flow-run.ts'
import { sql } from '#src/store/sql.ts'
import { taskRunTable } from '#src/store/task-run.ts'
import { eachPage } from './pages.ts'
import { defineService } from './service.ts'

/** Runs that were cancelled longer ago have nothing more to come: who told of their tasks did so by then. Prefect's, too. */
const LOOKS_BACK_MS = 86_400_000
const UNDER_WAY = sql.fragment`('SCHEDULED', 'PENDING', 'RUNNING', 'PAUSED', 'CANCELLING')`
/**
 * Asked for each run by itself (`offset 0`), since no index finds task runs by their state: 16 ms for 863 cancelled runs among
 * 400,000 task runs on 2 cores, 129 ms when Postgres was free to read all of these.
 */
const HAS_TASKS = sql.fragment`exists (
  select 1 from task_run k where k.flow_run_id = t.id
    and k.state_type in ${UNDER_WAY} offset 0)`
const MESSAGE = 'The parent flow run was cancelled.'

export const cancellationCleanup = defineService({
  name: 'cancellation-cleanup',
  title: 'ends what cancelled runs left behind',
  description:
    'Sets runs to Cancelled that are cancelling for too long, and cancels task runs and flows within cancelled ones. Without it they stay as they are.',
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
    const since = new Date(nowMs() - LOOKS_BACK_MS).toISOString()
    const leftTasks = sql.fragment`t.state_type = 'CANCELLED' and t.end_time >= ${since}::timestamptz and ${HAS_TASKS}`
    let tasks = 0
    await eachPage({ store, table: flowRunTable, where: leftTasks, signal }, { atOnce: 1 }, async (run) => {
      const where = sql.fragment`t.flow_run_id = ${run.id} and t.state_type in ${UNDER_WAY}`
      tasks += await eachPage({ store, table: taskRunTable, where, signal }, {}, ({ id }) =>
        commands.taskRuns.setState(id, { type: 'CANCELLED', message: MESSAGE }, true),
      )
    })
    const within = sql.fragment`t.parent_task_run_id is not null
      and t.state_type in ('SCHEDULED', 'PENDING', 'RUNNING', 'PAUSED')
      and exists (select 1 from task_run k join flow_run p on p.id = k.flow_run_id
        where k.id = t.parent_task_run_id and p.state_type = 'CANCELLED')`
    const nested = await eachPage({ store, table: flowRunTable, where: within, signal }, {}, (run) =>
      commands.flowRun(run.id, {
        type: 'set-state',
        state: {
          type: run.deployment_id === null ? 'CANCELLED' : 'CANCELLING',
          message: MESSAGE,
        },
        force: false,
        onlyFrom: run.state_id,
      }),
    )
    return { timedOut, tasks, nested }
  },
})
