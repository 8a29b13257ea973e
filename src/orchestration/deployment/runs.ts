/** Runs of a deployment: what they are made of, those that its schedules ask for, and the end of those that nobody wants. */
import { Type } from '@sinclair/typebox'
import pMap from 'p-map'
import type { DeploymentRow, DeploymentSchedule } from '#src/events/deployment.ts'
import { instantOfMs } from '#src/events/instant.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import type { Store } from '#src/store/pool.ts'
import { type FragmentSqlToken, row, sql } from '#src/store/sql.ts'
import type { Commands } from '../commands.ts'
import type { NewFlowRun } from '../flow-run/decide.ts'
import { derivedId } from '../ids.ts'
import { runName } from '../names.ts'
import { dueInstants, HORIZON, type Horizon, pythonDate, scheduleKind } from './instants.ts'

export interface DeploymentNeeds {
  readonly commands: Commands
  readonly store: Pick<Store, 'read'>
}

/** Commands on their way at once: enough to share commits, few enough to leave room for others. */
const AT_ONCE = 20
const PAGE = 500
const Id = row(Type.Object({ id: Type.String() }))

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

/** Schedules the runs that are due and not there. Whoever does it again, or at the same time, makes none twice. */
export async function scheduleRuns(
  { commands, store }: DeploymentNeeds,
  deployment: DeploymentRow,
  { fromMs, horizon = HORIZON, isAuto = true }: Span,
): Promise<number> {
  const wanted = deployment.schedules
    .filter(({ active }) => active)
    .flatMap((schedule) =>
      dueInstants(schedule.schedule, fromMs, bounded(horizon, schedule)).map((at) =>
        scheduledRun(deployment, schedule, at, isAuto),
      ),
    )
  const there = await idsThatAre(
    store,
    wanted.map(({ id }) => id),
  )
  const missing = wanted.filter(({ id }) => !there.has(id))
  await pMap(
    missing,
    ({ at, ...run }) =>
      commands.flowRun(run.id, {
        type: 'create',
        run,
        state: { type: 'SCHEDULED', message: 'Flow run scheduled', state_details: { scheduled_time: at } },
      }),
    { concurrency: AT_ONCE },
  )
  return missing.length
}

/**
 * Deletes runs of a deployment that were scheduled and have not begun.
 * @param autoOnly leaves those that somebody asked for
 * @param after leaves those that are due by this instant; all of them when null
 */
export async function deleteScheduledRuns(
  { commands, store }: DeploymentNeeds,
  deploymentId: string,
  { autoOnly, after }: { readonly autoOnly: boolean; readonly after: string | null },
): Promise<number> {
  let deleted = 0
  for (;;) {
    const runs = await store.read((tx) =>
      flowRunTable.select(tx, scheduledOnly(deploymentId, autoOnly, after), sql.fragment`order by t.id limit ${PAGE}`),
    )
    await pMap(runs, ({ id }) => commands.flowRun(id, { type: 'delete' }), { concurrency: AT_ONCE })
    deleted += runs.length
    if (runs.length < PAGE) return deleted
  }
}

function scheduledOnly(deploymentId: string, autoOnly: boolean, after: string | null): FragmentSqlToken {
  return sql.fragment`t.deployment_id = ${deploymentId} and t.state_type = 'SCHEDULED'
    and t.state_name <> 'AwaitingConcurrencySlot' and t.run_count = 0
    ${autoOnly ? sql.fragment`and t.auto_scheduled` : sql.fragment``}
    ${after === null ? sql.fragment`` : sql.fragment`and t.next_scheduled_start_time > ${after}::timestamptz`}`
}

function scheduledRun(deployment: DeploymentRow, schedule: DeploymentSchedule, atMs: number, isAuto: boolean) {
  const common = runOf(deployment)
  const idempotency_key = `scheduled ${deployment.id} ${schedule.id} ${pythonDate(atMs)}`
  return {
    ...common,
    id: derivedId('flow-run', deployment.flow_id, idempotency_key),
    name: runName(),
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

async function idsThatAre({ read }: Pick<Store, 'read'>, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const there = sql.type(Id)`select id from flow_run where id = any(${sql.array([...ids], 'uuid')})`
  return new Set((await read((tx) => tx.any(there))).map(({ id }) => id))
}
