/** Settings of the services that look after deployments, their runs and their workers. */
import { Type } from '@sinclair/typebox'
import { runsRetention } from './retention-settings.ts'
import { boolean, duration, integer } from './setting.ts'

/** The switches of these services; names of Prefect's where it has the same service. */
export const orchestrationServices = {
  deploymentScheduler: Type.Object({
    enabled: boolean({
      environment: 'MILLRACE_SERVICES_DEPLOYMENT_SCHEDULER_ENABLED',
      aliases: ['PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED', 'PREFECT_API_SERVICES_SCHEDULER_ENABLED'],
      default: true,
      description: 'Run the service that schedules the runs of deployments ahead.',
    }),
  }),
  recentDeploymentScheduler: Type.Object({
    enabled: boolean({
      environment: 'MILLRACE_SERVICES_RECENT_DEPLOYMENT_SCHEDULER_ENABLED',
      default: true,
      description: 'Run the service that does so at once for deployments that were changed just now.',
    }),
  }),
  lateRuns: Type.Object({
    enabled: boolean({
      environment: 'MILLRACE_SERVICES_LATE_RUNS_ENABLED',
      aliases: ['PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED', 'PREFECT_API_SERVICES_LATE_RUNS_ENABLED'],
      default: true,
      description: 'Run the service that marks runs as late which nobody has begun.',
    }),
  }),
  pauseExpirations: Type.Object({
    enabled: boolean({
      environment: 'MILLRACE_SERVICES_PAUSE_EXPIRATIONS_ENABLED',
      aliases: ['PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED', 'PREFECT_API_SERVICES_PAUSE_EXPIRATIONS_ENABLED'],
      default: true,
      description: 'Run the service that fails runs which were paused and not resumed in time.',
    }),
  }),
  cancellationCleanup: Type.Object({
    enabled: boolean({
      environment: 'MILLRACE_SERVICES_CANCELLATION_CLEANUP_ENABLED',
      aliases: [
        'PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_ENABLED',
        'PREFECT_API_SERVICES_CANCELLATION_CLEANUP_ENABLED',
      ],
      default: true,
      description: 'Run the service that ends what a cancelled run left behind.',
    }),
  }),
  foreman: Type.Object({
    enabled: boolean({
      environment: 'MILLRACE_SERVICES_FOREMAN_ENABLED',
      aliases: ['PREFECT_SERVER_SERVICES_FOREMAN_ENABLED', 'PREFECT_API_SERVICES_FOREMAN_ENABLED'],
      default: true,
      description: 'Run the service that sees which workers, pools, queues and deployments are ready.',
    }),
  }),
  leaseReaper: Type.Object({
    enabled: boolean({
      environment: 'MILLRACE_SERVICES_LEASE_REAPER_ENABLED',
      aliases: ['PREFECT_SERVER_SERVICES_REPOSSESSOR_ENABLED'],
      default: true,
      description: 'Run the service that removes leases on slots which ended.',
    }),
  }),
}

/** How far ahead runs are scheduled, how long they may be late or be cancelling, and how long they are kept. */
export const runs = Type.Object({
  retentionMs: runsRetention,
  minRuns: integer({
    environment: 'MILLRACE_RUNS_MIN_RUNS',
    aliases: ['PREFECT_SERVER_SERVICES_SCHEDULER_MIN_RUNS', 'PREFECT_API_SERVICES_SCHEDULER_MIN_RUNS'],
    default: 3,
    minimum: 1,
    maximum: 1_000,
    description:
      'Runs of each schedule of a deployment that are ahead at the least, and not fewer than `MILLRACE_RUNS_MIN_AHEAD` asks for.',
  }),
  minAheadMs: duration({
    environment: 'MILLRACE_RUNS_MIN_AHEAD',
    aliases: [
      'PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME',
      'PREFECT_API_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME',
    ],
    default: '1h',
    minimum: '0s',
    maximum: '366d',
    description: 'The last run of a schedule is at least so far ahead.',
  }),
  maxRuns: integer({
    environment: 'MILLRACE_RUNS_MAX_RUNS',
    aliases: ['PREFECT_SERVER_SERVICES_SCHEDULER_MAX_RUNS', 'PREFECT_API_SERVICES_SCHEDULER_MAX_RUNS'],
    default: 100,
    minimum: 1,
    maximum: 10_000,
    description: 'Runs of each schedule that are ahead at the most.',
  }),
  maxAheadMs: duration({
    environment: 'MILLRACE_RUNS_MAX_AHEAD',
    aliases: [
      'PREFECT_SERVER_SERVICES_SCHEDULER_MAX_SCHEDULED_TIME',
      'PREFECT_API_SERVICES_SCHEDULER_MAX_SCHEDULED_TIME',
    ],
    default: '100d',
    minimum: '1m',
    maximum: '3660d',
    description: 'Nothing is scheduled farther ahead.',
  }),
  lateAfterMs: duration({
    environment: 'MILLRACE_RUNS_LATE_AFTER',
    aliases: ['PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS', 'PREFECT_API_SERVICES_LATE_RUNS_AFTER_SECONDS'],
    default: '15s',
    minimum: '0s',
    maximum: '366d',
    description: 'How long after its time a scheduled run is late.',
  }),
  cancellingTimeoutMs: duration({
    environment: 'MILLRACE_RUNS_CANCELLING_TIMEOUT',
    default: '5m',
    minimum: '1s',
    maximum: '30d',
    description: 'How long a run may be cancelling; then it counts as cancelled.',
  }),
})
