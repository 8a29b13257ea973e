/** Starts the services of a process and keeps them running. */
import type { Metrics } from '#src/metrics.ts'
import { latestResults } from '#src/store/tick/standing.ts'
import { type BehindJob, type RunningTicks, startLoop, startTicks, type TicksOptions } from '#src/ticks/index.ts'
import type { OwnService } from './own.ts'
import { ownJob } from './own-job.ts'
import {
  type JobContext,
  type JobService,
  jobOf,
  type RunningService,
  type Service,
  type ServiceContext,
} from './service.ts'

export interface ServicesOptions extends JobContext {
  /** What the scheduler needs besides. */
  readonly ticks: Pick<TicksOptions, 'stream' | 'pool' | 'release'>
  /** Of the program around. */
  readonly own?: readonly OwnService[]
}

export interface RunningServices extends RunningService {
  readonly names: readonly string[]
  /** Jobs that are behind, and why. */
  behind(): readonly BehindJob[]
}

/** How often what the latest runs say is read, for the gauges of every process. */
const REPORT_EVERY_MS = 5_000

/** Starts those that are switched on. */
export function startServices(
  continuous: readonly Service[],
  jobs: readonly JobService[],
  { ticks: scheduler, own = [], ...context }: ServicesOptions,
): RunningServices {
  const { settings, log, metrics, pool } = context
  const on = continuous.filter((service) => service.isOn(settings))
  const due = jobs.filter((job) => job.isOn(settings))
  const running = on.map((service) => keepRunning(service, context))
  const ticks: RunningTicks = startTicks({
    ...scheduler,
    jobs: [...due.map((job) => jobOf(job, context)), ...own.map((service) => ownJob(service, log))],
    runPool: pool,
    timeoutMs: settings.database.timeoutMs,
    log,
    metrics,
  })
  const reports = startLoop('service-reports', log, async () => {
    await report(due, scheduler.pool, metrics)
    return REPORT_EVERY_MS
  })
  return {
    names: [...on, ...due, ...own].map(({ name }) => name),
    behind: () => ticks.behind(),
    trouble() {
      const troubles = [
        ...running.map((service, i) => [on[i]?.name, service.trouble()]),
        ['scheduler', ticks.trouble()],
      ]
        .filter(([, trouble]) => trouble !== null)
        .map(([name, trouble]) => `${name}: ${trouble}`)
      const behind = ticks.behind().map(({ job, why }) => `${job}: ${why}`)
      return troubles.length + behind.length === 0 ? null : [...troubles, ...behind].join('; ')
    },
    async stop() {
      await Promise.all([reports.stop(), ticks.stop(), ...running.map((service) => service.stop())])
    },
  }
}

/** What one process found is the same for all: each sets its gauges from what the ledger has of the latest run. */
async function report(jobs: readonly JobService[], pool: TicksOptions['pool'], metrics: Metrics): Promise<void> {
  const reporting = jobs.filter((job) => job.report !== undefined)
  const results = await latestResults(
    pool,
    reporting.map(({ name }) => name),
  )
  for (const job of reporting) {
    const result = results.get(job.name)
    if (result !== undefined) job.report?.(metrics, result)
  }
}

/** Starts a service, and starts it again, later each time, as long as it fails to. Once it runs it looks after itself. */
function keepRunning(service: Service, context: ServiceContext): RunningService {
  let running: RunningService | null = null
  const starting = startLoop(service.name, context.log, async () => {
    running ??= service.start(context)
    return Number.POSITIVE_INFINITY
  })
  return {
    trouble: () => running?.trouble() ?? starting.trouble(),
    async stop() {
      await starting.stop()
      await running?.stop()
    },
  }
}
