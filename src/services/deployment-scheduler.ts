/**
 * Schedules the runs of deployments ahead, so that runners and workers find them in time. One job looks at all
 * deployments, another one, often, at those that were changed just now.
 */
import { deleteStaleRuns, type Horizon, scheduleRuns } from '#src/orchestration/index.ts'
import { deploymentTable } from '#src/store/deployment.ts'
import { type FragmentSqlToken, sql } from '#src/store/sql.ts'
import type { Counts, Tick } from '#src/ticks/index.ts'
import { eachPage } from './pages.ts'
import { defineService, type JobContext } from './service.ts'

/** A deployment has up to hundreds of runs ahead: a few at a time keep the recorder busy. */
const AT_ONCE = 4
const RECENT_EVERY_MS = 5_000
/** What was changed in two rounds and a half: none is missed when a round is late. */
const RECENT_MS = 12_500

export const deploymentScheduler = defineService({
  name: 'deployment-scheduler',
  title: 'schedules the runs of deployments ahead',
  description: 'Turns schedules of deployments into runs, each once. Without it nothing runs by schedule.',
  setting: 'services.deploymentScheduler.enabled',
  environment: 'MILLRACE_SERVICES_DEPLOYMENT_SCHEDULER_ENABLED',
  isOn: ({ services }) => services.deploymentScheduler.enabled,
  schedule: { everyMs: 60_000 },
  run: (context, tick) => schedule(context, tick, sql.fragment`true`),
})

export const recentDeploymentScheduler = defineService({
  name: 'recent-deployment-scheduler',
  title: 'schedules the runs of deployments that were changed just now',
  description: 'The same for new and changed deployments, within seconds. Without it they wait for up to a minute.',
  setting: 'services.recentDeploymentScheduler.enabled',
  environment: 'MILLRACE_SERVICES_RECENT_DEPLOYMENT_SCHEDULER_ENABLED',
  isOn: ({ services }) => services.recentDeploymentScheduler.enabled,
  schedule: { everyMs: RECENT_EVERY_MS },
  run(context, tick) {
    const since = new Date(context.nowMs() - RECENT_MS).toISOString()
    return schedule(context, tick, sql.fragment`t.updated >= ${since}::timestamptz`)
  },
})

async function schedule(context: JobContext, { signal, attempt }: Tick, which: FragmentSqlToken): Promise<Counts> {
  const { commands, store, settings, nowMs } = context
  const { minRuns, minAheadMs, maxRuns, maxAheadMs } = settings.runs
  const horizon: Horizon = { minRuns, minMs: minAheadMs, maxRuns, maxMs: maxAheadMs }
  // The attempt before may have been killed after it had made runs of what was changed meanwhile.
  const stale = attempt === 1 ? 0 : await deleteStaleRuns({ commands, store }, { fromMs: nowMs(), horizon })
  let runs = 0
  const deployments = await eachPage(
    { store, table: deploymentTable, where: sql.fragment`t.has_schedule and not t.paused and ${which}`, signal },
    { atOnce: AT_ONCE },
    async (deployment) => {
      runs += await scheduleRuns({ commands, store }, deployment, { fromMs: nowMs(), horizon })
    },
  )
  return { deployments, runs, stale }
}
