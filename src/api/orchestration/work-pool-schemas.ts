/** Work pools, queues and workers as clients send and read them. */
import { type Static, Type } from '@sinclair/typebox'
import { int4, nameText } from '#src/events/formats.ts'
import { Worker, WorkPool, type WorkPoolRow, WorkQueue, type WorkQueueRow } from '#src/events/work-pool.ts'
import { maybe, Name } from './fields.ts'

const Anything = Type.Record(Type.String(), Type.Unknown())
const Text = maybe(Type.String())
const Limit = maybe(int4(0))
const Storage = Type.Object({
  bundle_upload_step: maybe(Anything),
  bundle_execution_step: maybe(Anything),
  default_result_storage_block_id: Text,
})
export type Storage = Static<typeof Storage>
/** A name that isn't blank, without what Prefect bans for the sake of its URLs. */
const PoolName = nameText({ pattern: '^[^/%&><]*[^/%&><\\s\'"][^/%&><]*$' })

export const WorkPoolCreate = Type.Object(
  {
    name: PoolName,
    description: Text,
    type: Type.Optional(Type.String()),
    base_job_template: Type.Optional(Anything),
    is_paused: Type.Optional(Type.Boolean()),
    concurrency_limit: Limit,
    storage_configuration: Type.Optional(Storage),
  },
  { additionalProperties: false },
)
export const WorkPoolUpdate = Type.Object(
  {
    description: Text,
    is_paused: maybe(Type.Boolean()),
    base_job_template: maybe(Anything),
    concurrency_limit: Limit,
    storage_configuration: maybe(Storage),
  },
  { additionalProperties: false },
)

const queueFields = {
  description: Text,
  is_paused: Type.Optional(Type.Boolean()),
  concurrency_limit: Limit,
  priority: maybe(int4(1)),
  filter: Type.Optional(Type.Unknown()),
}
export const WorkQueueCreate = Type.Object({ ...queueFields, name: Name }, { additionalProperties: false })
export const WorkQueueUpdate = Type.Object(
  { ...queueFields, name: maybe(Name), last_polled: Type.Optional(Type.Unknown()) },
  { additionalProperties: false },
)

const Slots = Type.Union([Type.Integer(), Type.Null()], { description: 'Runs that count; null without a limit.' })

export const WorkPoolResponse = Type.Object({ ...Type.Omit(WorkPool, ['version']).properties, active_slots: Slots })
export const WorkQueueResponse = Type.Object({ ...Type.Omit(WorkQueue, ['version']).properties, active_slots: Slots })
export const WorkerResponse = Type.Omit(Worker, ['version', 'work_pool_name'])

/** The pool as clients read it, its members in the order of Prefect's server. */
export function poolOf(row: WorkPoolRow, slots: number | null): Static<typeof WorkPoolResponse> {
  return {
    id: row.id,
    created: row.created,
    updated: row.updated,
    name: row.name,
    description: row.description,
    type: row.type,
    base_job_template: row.base_job_template,
    is_paused: row.is_paused,
    concurrency_limit: row.concurrency_limit,
    status: row.status,
    default_queue_id: row.default_queue_id,
    storage_configuration: row.storage_configuration,
    active_slots: row.concurrency_limit === null ? null : (slots ?? 0),
  }
}

/** The same for a queue. */
export function queueOf(row: WorkQueueRow, slots: number | null): Static<typeof WorkQueueResponse> {
  return {
    id: row.id,
    created: row.created,
    updated: row.updated,
    name: row.name,
    description: row.description,
    is_paused: row.is_paused,
    concurrency_limit: row.concurrency_limit,
    priority: row.priority,
    work_pool_id: row.work_pool_id,
    filter: row.filter,
    last_polled: row.last_polled,
    work_pool_name: row.work_pool_name,
    status: row.status,
    active_slots: row.concurrency_limit === null ? null : (slots ?? 0),
  }
}

/** What is wrong with a pool's job template, in the words of Prefect's server; null when nothing is. */
export function templateProblem(template: Readonly<Record<string, unknown>>): string | null {
  if (Object.keys(template).length === 0) return null
  const { job_configuration, variables } = template
  if (job_configuration === undefined || variables === undefined)
    return 'The `base_job_template` must contain both a `job_configuration` key and a `variables` key.'
  const known = Object.keys((variables as { properties?: object }).properties ?? {})
  const named = [...JSON.stringify(job_configuration).matchAll(/\{\{\s*([\w-]+)\s*\}\}/g)].map(
    (match) => match[1] ?? '',
  )
  const missing = [...new Set(named.filter((name) => !known.includes(name)))]
  if (missing.length === 0) return null
  return `The variables specified in the job configuration template must be present as properties in the variables schema. Your job configuration uses the following undeclared variable(s): ${missing.join(' ,')}.`
}
