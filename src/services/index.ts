/**
 * The background services: the list that `millrace services ls` prints and that a process starts from. Each has a switch;
 * any number of processes may run each of them, and of those that are jobs each tick is run by one.
 */
import { ServiceInvalid } from '#src/errors.ts'
import type { ScheduleSpec } from '#src/scheduler/index.ts'
import { cancellationCleanup } from './cancellation-cleanup.ts'
import { deadConsumerReaper } from './dead-consumer-reaper.ts'
import { deploymentScheduler, recentDeploymentScheduler } from './deployment-scheduler.ts'
import { eventPersister } from './event-persister.ts'
import { eventRecorder } from './event-recorder.ts'
import { eventStream } from './event-stream.ts'
import { foreman } from './foreman.ts'
import { lagReporter } from './lag-reporter.ts'
import { lateRuns } from './late-runs.ts'
import { leaseReaper } from './lease-reaper.ts'
import { logPartitions } from './log-partitions.ts'
import { pauseExpirations } from './pause-expirations.ts'
import { projectionRebuilder } from './projection-rebuilder.ts'
import { retention } from './retention.ts'
import type { JobService, Service, ServiceDescription } from './service.ts'
import { type RunningServices, type ServicesOptions, startServices as start } from './start.ts'
import { streamJanitor } from './stream-janitor.ts'

export { defineService, type OwnService } from './own.ts'
export type { JobService, RunningService, Service, ServiceContext, ServiceDescription } from './service.ts'
export type { RunningServices, ServicesOptions } from './start.ts'

/** Those that a services process runs all the time. */
const continuous: readonly Service[] = [eventPersister, eventRecorder, projectionRebuilder]

/** Those that a services process runs when their schedule says so. */
const jobs: readonly JobService[] = [
  streamJanitor,
  lagReporter,
  deadConsumerReaper,
  logPartitions,
  retention,
  deploymentScheduler,
  recentDeploymentScheduler,
  lateRuns,
  pauseExpirations,
  cancellationCleanup,
  foreman,
  leaseReaper,
]

/** Every service, in the order in which an event meets them. */
export const services: readonly (ServiceDescription & {
  /** When it runs, null when all the time. */
  readonly every: ScheduleSpec | null
})[] = [
  ...[...continuous, eventStream].map((service) => ({ ...describe(service), every: null })),
  ...jobs.map((job) => ({ ...describe(job), every: job.schedule })),
]

function describe({ name, title, description, setting, environment }: ServiceDescription): ServiceDescription {
  return { name, title, description, setting, environment }
}

/**
 * Starts the services that are switched on, and those of the program around.
 * @throws ServiceInvalid for one of these whose name is taken
 */
export function startServices(options: ServicesOptions): RunningServices {
  const taken = new Set(services.map(({ name }) => name))
  for (const { name } of options.own ?? []) {
    if (taken.has(name))
      throw new ServiceInvalid(
        `There is a service '${name}' already: give yours a name of its own, such as 'my.${name}'.`,
      )
    taken.add(name)
  }
  return start(continuous, jobs, options)
}
