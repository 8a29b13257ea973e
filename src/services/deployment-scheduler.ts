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
/** Longer than anybody is at making runs of a deployment as it was before it was changed. */
const CHANGED_MS = 15 * 60_000

export const deploymentScheduler = defineService({
  name: 'deployment-scheduler',
  title: 'schedules the runs of deployments ahead',
  description: 'Turns schedules of deployments into runs, each once. Without it nothing runs by schedule.',
  setting: 'services.deploymentScheduler.enabled',
  environment: 'MILLRACE_SERVICES_DEPLOYMENT_SCHEDULER_ENABLED',
  isOn: ({ services }) => services.deploymentScheduler.enabled,
  schedule: { everyMs: 60_000 },
  async run(context, tick) {
    const stale = await cleanUp(context, tick)
    return { stale, ...(await schedule(context, tick, sql.fragment`true`)) }
  },
})

export const recentDeploymentScheduler = defineService({
  name: 'recent-deployment-scheduler',
  title: 'schedules the runs of deployments that were changed just now',
  description: 'The same for new and changed deployments, within seconds. Without it they wait for up to a minute.',
  setting: 'services.recentDeploymentScheduler.enabled',
  environment: 'MILLRACE_SERVICES_RECENT_DEPLOYMENT_SCHEDULER_ENABLED',
  isOn: ({ services }) => services.recentDeploymentScheduler.enabled,
  schedule: { everyMs: RECENT_EVERY_MS },
  async run(context, tick) {
    const stale = tick.attempt > 1 ? await cleanUp(context, tick) : 0
    const since = new Date(context.nowMs() - RECENT_MS).toISOString()
    return { stale, ...(await schedule(context, tick, sql.fragment`t.updated >= ${since}::timestamptz`)) }
  },
})

/**
 * Deletes what a process that was killed had made of a deployment that was changed meanwhile: at this tick, if this is not its
 * first attempt, or for a request (`POST /deployments/{id}/schedule`), which may have been meant for a paused one.
 */
function cleanUp({ commands, store, nowMs }: JobContext, { attempt }: Tick): Promise<number> {
  const which = { nowMs: nowMs(), changedSinceMs: nowMs() - CHANGED_MS, pausedToo: attempt > 1 }
  return deleteStaleRuns({ commands, store }, which)
}

async function schedule(context: JobContext, { signal }: Tick, which: FragmentSqlToken): Promise<Counts> {
  const { commands, store, settings, nowMs } = context
  const { minRuns, minAheadMs, maxRuns, maxAheadMs } = settings.runs
  const horizon: Horizon = { minRuns, minMs: minAheadMs, maxRuns, maxMs: maxAheadMs }
  let runs = 0
  const deployments = await eachPage(
    { store, table: deploymentTable, where: sql.fragment`t.has_schedule and not t.paused and ${which}`, signal },
    { atOnce: AT_ONCE },
    async (deployment) => {
      runs += await scheduleRuns({ commands, store }, deployment, { fromMs: nowMs(), horizon })
    },
  )
  return { deployments, runs }
}
