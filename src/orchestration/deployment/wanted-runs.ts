/** The runs that the schedules of a deployment ask for, and what they have of it. */
import type { DeploymentRow, DeploymentSchedule } from '#src/events/deployment.ts'
import type { FlowRunRow } from '#src/events/flow-run.ts'
import { instantOfMs } from '#src/events/instant.ts'
import type { NewFlowRun } from '../flow-run/decide.ts'
import { derivedId } from '../ids.ts'
import { dueInstants, HORIZON, type Horizon, instantOfPythonDate, isDue, pythonDate, scheduleKind } from './instants.ts'

/** What every run of a deployment has of it. */
export function runOf(deployment: DeploymentRow): Omit<NewFlowRun, 'id' | 'name'> {
  const { id, deployment_version, flow_id, flow_name, parameters, tags, labels } = deployment
  const { work_queue_id, work_queue_name, work_pool_id, work_pool_name, infrastructure_document_id } = deployment
  return {
    flow_id,
    flow_name,
    deployment_id: id,
    deployment_version,
    work_queue_id,
    work_queue_name,
    work_pool_id,
    work_pool_name,
    infrastructure_document_id,
    parameters,
    tags,
    labels,
  }
}

/** How far runs are to be scheduled; and by which runs, left out by those of Prefect's scheduler. */
export interface Span {
  readonly fromMs: number
  readonly horizon?: Horizon
  readonly isAuto?: boolean
}

/** A run without its name, and the instant it is due at. Of one deployment and schedule they are always the same. */
export type WantedRun = ReturnType<typeof scheduledRun>

/** Those of all active schedules, also while the deployment is paused. */
export function wantedRuns(deployment: DeploymentRow, { fromMs, horizon = HORIZON, isAuto = true }: Span): WantedRun[] {
  return deployment.schedules
    .filter(({ active }) => active)
    .flatMap((schedule) =>
      dueInstants(schedule.schedule, fromMs, bounded(horizon, schedule)).map((at) =>
        scheduledRun(deployment, schedule, at, isAuto),
      ),
    )
}

/** What a run that was scheduled would be if it were scheduled now; null when its instant is none of an active schedule. */
export function wantedAsNow(deployment: DeploymentRow, run: Pick<FlowRunRow, 'idempotency_key'>): WantedRun | null {
  const key = run.idempotency_key ?? ''
  const schedule = deployment.schedules.find(({ active, id }) => active && key.startsWith(keyOf(deployment.id, id)))
  if (schedule === undefined) return null
  const at = instantOfPythonDate(key.slice(keyOf(deployment.id, schedule.id).length))
  return isDue(schedule.schedule, at) ? scheduledRun(deployment, schedule, at, true) : null
}

/** Of a schedule's runs; the date that each is due at follows. */
function keyOf(deploymentId: string, scheduleId: string): string {
  return `scheduled ${deploymentId} ${scheduleId} `
}

function scheduledRun(deployment: DeploymentRow, schedule: DeploymentSchedule, atMs: number, isAuto: boolean) {
  const common = runOf(deployment)
  const idempotency_key = keyOf(deployment.id, schedule.id) + pythonDate(atMs)
  return {
    ...common,
    id: derivedId('flow-run', deployment.flow_id, idempotency_key),
    idempotency_key,
    parameters: { ...deployment.parameters, ...schedule.parameters },
    tags: [...(isAuto ? ['auto-scheduled'] : []), ...deployment.tags],
    auto_scheduled: isAuto,
    created_by: {
      id: schedule.id,
      type: 'SCHEDULE',
      display_value: schedule.slug ?? scheduleKind(schedule.schedule),
    },
    at: instantOfMs(atMs).iso,
  }
}

function bounded(horizon: Horizon, { max_scheduled_runs: most }: DeploymentSchedule): Horizon {
  return most === null ? horizon : { ...horizon, maxRuns: Math.min(horizon.maxRuns, most) }
}
