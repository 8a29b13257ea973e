/** The fields of a deployment that a body sets: checked against the pool, the limit and the schemas that it names. */
import { Conflict, NotFound, RequestRefused } from '#src/errors.ts'
import type { DeploymentRow } from '#src/events/deployment.ts'
import {
  CONCURRENCY_LIMITS,
  checkParameters as checkAgainst,
  deleteLimit,
  ensureDefaultPool,
  ensureQueue,
  limitId,
  newLimit,
  poolNamed,
} from '#src/orchestration/index.ts'
import { concurrencyLimitTable } from '#src/store/concurrency-limit.ts'
import { sql } from '#src/store/sql.ts'
import { workQueueTable } from '#src/store/work-pool.ts'
import type { DeploymentUpdate } from './deployment-schemas.ts'
import { uuid } from './fields.ts'
import { checkParameters as checkSize } from './flow-run-schemas.ts'
import type { OrchestrationNeeds } from './needs.ts'

const EMPTY_SCHEMA = { type: 'object', properties: {} }
type Common = Omit<DeploymentUpdate, 'schedules'>
type Fields = Partial<Omit<DeploymentRow, 'id' | 'version' | 'created' | 'updated'>>

/** A deployment of which nothing is said. */
export const BLANK: Omit<
  DeploymentRow,
  'id' | 'version' | 'created' | 'updated' | 'name' | 'flow_id' | 'flow_name' | 'schedules' | 'has_schedule' | 'labels'
> = {
  deployment_version: null,
  description: null,
  paused: false,
  concurrency_limit_id: null,
  concurrency_options: null,
  job_variables: {},
  parameters: {},
  tags: [],
  work_queue_id: null,
  work_queue_name: null,
  work_pool_id: null,
  work_pool_name: null,
  last_polled: null,
  status: 'NOT_READY',
  parameter_openapi_schema: EMPTY_SCHEMA,
  enforce_parameter_schema: true,
  path: null,
  entrypoint: null,
  pull_steps: [],
  storage_document_id: null,
  infrastructure_document_id: null,
  created_by: null,
  updated_by: null,
}

/** The fields that a body sets: those it leaves out stay as they are. */
export async function fieldsOf(
  needs: OrchestrationNeeds,
  id: string,
  body: Common,
  before: DeploymentRow | null,
): Promise<Fields> {
  const { version, version_info: _, work_pool_name, work_queue_name, concurrency_limit, ...given } = body
  const { global_concurrency_limit_id, tags, parameters, job_variables, enforce_parameter_schema, ...plain } = given
  const { storage_document_id, infrastructure_document_id, ...others } = plain
  const blocks = { infrastructure: infrastructure_document_id, storage: storage_document_id }
  for (const [what, block] of Object.entries(blocks)) if (block) throw new Conflict(unknownBlock(what, uuid(block)))
  if (concurrency_limit && global_concurrency_limit_id)
    throw new RequestRefused('A deployment cannot have both a concurrency limit and a global concurrency limit.')
  if (parameters) checkSize(parameters)
  return {
    ...others,
    ...(version !== undefined && { deployment_version: version }),
    ...(tags && { tags }),
    ...(parameters && { parameters }),
    ...(job_variables && { job_variables }),
    ...(typeof enforce_parameter_schema === 'boolean' && { enforce_parameter_schema }),
    ...(await placeOf(needs, body, before)),
    ...(await limitOf(needs, id, body, before)),
  }
}

/** There are no blocks: no such id is known. In the words of Prefect's server. */
function unknownBlock(what: string, id: string): string {
  return (
    `Error creating deployment. Could not find ${what} block with id: ${id}. This usually occurs when applying a ` +
    'deployment specification that was built against a different Prefect database / workspace.'
  )
}

/** The queue that runs go to: of the pool that is named its default one, unless a queue is named too. */
async function placeOf(
  needs: OrchestrationNeeds,
  { work_pool_name, work_queue_name }: Common,
  before: DeploymentRow | null,
): Promise<Fields> {
  if (work_pool_name) {
    const pool = await poolNamed(needs, work_pool_name)
    const queue = work_queue_name
      ? await ensureQueue(needs, work_pool_name, work_queue_name)
      : await needs.store.read((tx) => workQueueTable.find(tx, sql.fragment`t.id = ${pool.default_queue_id}`))
    return {
      work_pool_id: pool.id,
      work_pool_name: pool.name,
      work_queue_id: queue?.id ?? null,
      work_queue_name: queue?.name ?? null,
    }
  }
  const none = { work_pool_id: null, work_pool_name: null, work_queue_id: null, work_queue_name: null }
  if (work_pool_name === null && !work_queue_name) return none
  if (!work_queue_name) return {}
  const pool = before?.work_pool_name ?? (await ensureDefaultPool(needs)).name
  const queue = await ensureQueue(needs, pool, work_queue_name)
  return {
    work_pool_id: queue.work_pool_id,
    work_pool_name: queue.work_pool_name,
    work_queue_id: queue.id,
    work_queue_name: queue.name,
  }
}

/** The concurrency limit of its runs: one that exists, or one of its own that is made, changed or deleted here. */
async function limitOf(
  needs: OrchestrationNeeds,
  id: string,
  { concurrency_limit, global_concurrency_limit_id }: Common,
  before: DeploymentRow | null,
): Promise<Fields> {
  const { commands, store, now } = needs
  if (global_concurrency_limit_id) {
    const wanted = uuid(global_concurrency_limit_id)
    const limit = await store.read((tx) => concurrencyLimitTable.find(tx, sql.fragment`t.id = ${wanted}`))
    if (limit === null) throw new NotFound('Concurrency limit not found')
    return { concurrency_limit_id: wanted }
  }
  const name = `deployment:${id}`
  if (concurrency_limit) {
    const own = before?.concurrency_limit_id ?? limitId(name)
    const fields = newLimit(own, { name, slot_limit: concurrency_limit }, now())
    const { isNew } = await commands.record(CONCURRENCY_LIMITS, own, { type: 'create', fields })
    if (!isNew)
      await commands.record(CONCURRENCY_LIMITS, own, { type: 'update', changes: { slot_limit: concurrency_limit } })
    return { concurrency_limit_id: own }
  }
  if (concurrency_limit === null) {
    if (before?.concurrency_limit_id === limitId(name)) await deleteLimit(needs, limitId(name))
    return { concurrency_limit_id: null }
  }
  return global_concurrency_limit_id === null ? { concurrency_limit_id: null } : {}
}

/** @throws RequestRefused when the parameters of a new deployment don't fit the schema that comes with them */
export function checkOwnParameters(parameters: Readonly<Record<string, unknown>>, fields: Fields): void {
  if (fields.enforce_parameter_schema === false) return
  const schema = fields.parameter_openapi_schema === undefined ? EMPTY_SCHEMA : fields.parameter_openapi_schema
  if (schema === null && Object.keys(parameters).length === 0) return
  try {
    checkAgainst('Value error', parameters, schema, true)
  } catch (error) {
    // Prefect's server checks this with the body's own schema.
    if (error instanceof Conflict) throw new RequestRefused(error.message, { cause: error })
    throw error
  }
}
