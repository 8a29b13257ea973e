/** What requests about deployments do. */
import { Conflict, NotFound } from '#src/errors.ts'
import type { DeploymentRow } from '#src/events/deployment.ts'
import {
  checkJobVariables,
  checkParameters,
  DEPLOYMENTS,
  deleteLimit,
  deleteScheduledRuns,
  derivedId,
  poolNamed,
  replaceSchedules,
  scheduleFields,
  updateSchedules,
} from '#src/orchestration/index.ts'
import { deploymentTable } from '#src/store/deployment.ts'
import { flowTable } from '#src/store/flow.ts'
import { sql } from '#src/store/sql.ts'
import { workPoolTable } from '#src/store/work-pool.ts'
import { BLANK, checkOwnParameters, fieldsOf } from './deployment-fields.ts'
import type { DeploymentCreate, DeploymentUpdate } from './deployment-schemas.ts'
import { uuid } from './fields.ts'
import type { OrchestrationNeeds } from './needs.ts'

/** Makes a deployment, or gives the one of this flow and name all that the body says. */
export async function createDeployment(needs: OrchestrationNeeds, body: DeploymentCreate) {
  const { commands, store, now, newId } = needs
  const flow_id = uuid(body.flow_id)
  const flow = await store.read((tx) => flowTable.find(tx, sql.fragment`t.id = ${flow_id}`))
  if (flow === null) throw new Conflict(`Error creating deployment. Could not find flow with id: ${flow_id}.`)
  const id = derivedId('deployment', flow_id, body.name)
  const before = await findDeployment(needs, id)
  const { schedules = [], labels, ...common } = body
  const { work_pool_name, job_variables } = body
  // When one is changed Prefect's server doesn't look: its runs are refused then.
  if (work_pool_name && job_variables && Object.keys(job_variables).length > 0) {
    const { base_job_template } = await poolNamed(needs, work_pool_name)
    checkJobVariables('Error creating deployment', base_job_template, [job_variables], { partial: true })
  }
  const fields = await fieldsOf(needs, id, common, before)
  checkOwnParameters(fields.parameters ?? {}, fields)
  const given = { ...fields, labels: { ...flow.labels, 'prefect.flow.id': flow_id, ...labels } }
  const context = { now: now(), newId }
  const { row, isNew } = await commands.record(DEPLOYMENTS, id, {
    type: 'create',
    fields: {
      ...BLANK,
      ...given,
      ...scheduleFields(replaceSchedules([], schedules, context)),
      id,
      name: body.name,
      flow_id,
      flow_name: flow.name,
    },
  })
  if (isNew) return { row: row as DeploymentRow, isNew }
  const updated = await commands.record(DEPLOYMENTS, id, {
    type: 'update',
    changes: (row, context) => ({ ...given, ...scheduleFields(replaceSchedules(row.schedules, schedules, context)) }),
  })
  if (updated.row === null) throw new NotFound('Deployment not found')
  if (before?.version !== updated.row.version) await dropFutureRuns(needs, id)
  return { row: updated.row, isNew }
}

/** Changes what the body names of a deployment. @throws NotFound without one */
export async function updateDeployment(needs: OrchestrationNeeds, id: string, body: DeploymentUpdate): Promise<void> {
  const before = await findDeployment(needs, id)
  if (before === null) throw new NotFound('Deployment not found.')
  const { schedules, ...common } = body
  const fields = await fieldsOf(needs, id, common, before)
  const after = { ...before, ...fields }
  if (after.enforce_parameter_schema)
    checkParameters('Error updating deployment', after.parameters, after.parameter_openapi_schema, true)
  const { row } = await needs.commands.record(DEPLOYMENTS, id, {
    type: 'update',
    changes: (row, context) => ({
      ...fields,
      ...(schedules && scheduleFields(updateSchedules(row.schedules, schedules, context))),
    }),
  })
  if (row === null) throw new NotFound('Deployment not found.')
  if (row.version !== before.version) await dropFutureRuns(needs, id)
}

/** Deletes a deployment with the runs that have not begun, and the limit that it has, whoever else has it: as Prefect does. */
export async function deleteDeployment(needs: OrchestrationNeeds, id: string): Promise<void> {
  const row = await findDeployment(needs, id)
  if (row === null) throw new NotFound('Deployment not found')
  await needs.commands.record(DEPLOYMENTS, id, { type: 'delete' })
  await deleteScheduledRuns(needs, id, { autoOnly: false, after: null })
  if (row.concurrency_limit_id !== null) await deleteLimit(needs, row.concurrency_limit_id)
}

/** Runs that were scheduled by what the deployment was before: the scheduler makes new ones. */
export function dropFutureRuns(needs: OrchestrationNeeds, id: string): Promise<number> {
  return deleteScheduledRuns(needs, id, { autoOnly: true, after: needs.now() })
}

export function findDeployment({ store }: OrchestrationNeeds, id: string): Promise<DeploymentRow | null> {
  return store.read((tx) => deploymentTable.find(tx, sql.fragment`t.id = ${id}`))
}

/** Checks the job variables of a run against the pool that it goes to. @throws CommandInvalid when they don't fit */
export async function checkRunVariables(
  { store }: Pick<OrchestrationNeeds, 'store'>,
  what: string,
  { work_pool_id, job_variables }: DeploymentRow,
  given: object,
): Promise<void> {
  if (work_pool_id === null) return
  const pool = await store.read((tx) => workPoolTable.find(tx, sql.fragment`t.id = ${work_pool_id}`))
  if (pool !== null)
    checkJobVariables(what, pool.base_job_template, [job_variables as object, { ...given }], { partial: false })
}
