/** Bodies of requests about deployments, and deployments as clients read them. */
import { type Static, Type } from '@sinclair/typebox'
import type { ConcurrencyLimitRow } from '#src/events/concurrency-limit.ts'
import { type DeploymentRow, DeploymentSchedule, Deployment as Row } from '#src/events/deployment.ts'
import { int4 } from '#src/events/formats.ts'
import { GlobalLimit, globalLimitOf } from './concurrency-limits-v2.ts'
import { Labels, maybe, Name, Tags, Uuid, When } from './fields.ts'
import { FlowRunCreate } from './flow-run-schemas.ts'

const Anything = Type.Record(Type.String(), Type.Unknown())
const Text = maybe(Type.String())
const Positive = maybe(int4(1))

/** As on Prefect's server. */
const MAX_SCHEDULED_RUNS = 50

/** An interval in seconds from an anchor, a cron expression, or a recurrence rule: one of these, by the field it has. */
const Schedule = Type.Union([
  Type.Object(
    { interval: Type.Number({ exclusiveMinimum: 0 }), anchor_date: maybe(When), timezone: Text },
    { additionalProperties: false },
  ),
  Type.Object({ cron: Type.String(), timezone: Text, day_or: maybe(Type.Boolean()) }, { additionalProperties: false }),
  Type.Object({ rrule: Type.String(), timezone: Text }, { additionalProperties: false }),
])

const scheduleFields = {
  active: maybe(Type.Boolean()),
  max_scheduled_runs: maybe(Type.Integer({ minimum: 1, maximum: MAX_SCHEDULED_RUNS })),
  parameters: maybe(Anything),
  slug: Text,
  replaces: Text,
}
export const ScheduleCreate = Type.Object({ ...scheduleFields, schedule: Schedule }, { additionalProperties: false })
export const ScheduleUpdate = Type.Object(
  { ...scheduleFields, schedule: maybe(Schedule) },
  { additionalProperties: false },
)

const ConcurrencyOptions = maybe(
  Type.Object({
    collision_strategy: Type.Union([Type.Literal('ENQUEUE'), Type.Literal('CANCEL_NEW')]),
    grace_period_seconds: maybe(Type.Integer({ minimum: 60, maximum: 86_400 })),
  }),
)

/** What creating and changing have in common. `version_info` is what the client knows of its version; only Cloud keeps it. */
const common = {
  paused: Type.Optional(Type.Boolean()),
  concurrency_limit: Positive,
  concurrency_options: ConcurrencyOptions,
  global_concurrency_limit_id: maybe(Uuid),
  parameters: maybe(Anything),
  parameter_openapi_schema: maybe(Anything),
  tags: maybe(Tags),
  pull_steps: maybe(Type.Array(Anything)),
  work_queue_name: Text,
  work_pool_name: Text,
  storage_document_id: maybe(Uuid),
  infrastructure_document_id: maybe(Uuid),
  description: Text,
  path: Text,
  version: Text,
  entrypoint: Text,
  job_variables: maybe(Anything),
  enforce_parameter_schema: maybe(Type.Boolean()),
  version_info: Type.Optional(Type.Unknown()),
}
export const DeploymentCreate = Type.Object(
  {
    ...common,
    name: Name,
    flow_id: Uuid,
    schedules: Type.Optional(Type.Array(ScheduleCreate)),
    labels: maybe(Labels),
  },
  { additionalProperties: false },
)
export type DeploymentCreate = Static<typeof DeploymentCreate>

export const DeploymentUpdate = Type.Object(
  { ...common, schedules: maybe(Type.Array(ScheduleUpdate)) },
  { additionalProperties: false },
)
export type DeploymentUpdate = Static<typeof DeploymentUpdate>

const {
  flow_id: _flow,
  flow_version: _version,
  work_pool_name: _pool,
  deployment_id: _id,
  ...runFields
} = FlowRunCreate.properties
/** A run of a deployment, as somebody asks for it. */
export const DeploymentRunCreate = Type.Object(
  { ...runFields, enforce_parameter_schema: maybe(Type.Boolean()) },
  { additionalProperties: false },
)
export type DeploymentRunCreate = Static<typeof DeploymentRunCreate>

export const ScheduleResponse = Type.Composite([DeploymentSchedule, Type.Object({ deployment_id: Type.String() })])

/** A deployment as clients read it. */
export const DeploymentResponse = Type.Object({
  ...Type.Omit(Row, [
    'version',
    'deployment_version',
    'flow_name',
    'has_schedule',
    'concurrency_limit_id',
    'work_pool_id',
  ]).properties,
  version: Row.properties.deployment_version,
  schedules: Type.Array(ScheduleResponse),
  concurrency_limit: Type.Null({ description: 'Of older clients; see `global_concurrency_limit`.' }),
  global_concurrency_limit: Type.Union([GlobalLimit, Type.Null()]),
})
export type DeploymentResponse = Static<typeof DeploymentResponse>

/** @param limit the one whose slots its runs take */
export function deploymentOf(row: DeploymentRow, limit: ConcurrencyLimitRow | null, now: string): DeploymentResponse {
  return {
    id: row.id,
    created: row.created,
    updated: row.updated,
    name: row.name,
    version: row.deployment_version,
    description: row.description,
    flow_id: row.flow_id,
    paused: row.paused,
    schedules: schedulesOf(row),
    concurrency_limit: null,
    global_concurrency_limit: limit && globalLimitOf(limit, now),
    concurrency_options: row.concurrency_options,
    job_variables: row.job_variables,
    parameters: row.parameters,
    tags: row.tags,
    labels: row.labels,
    work_queue_name: row.work_queue_name,
    work_queue_id: row.work_queue_id,
    last_polled: row.last_polled,
    parameter_openapi_schema: row.parameter_openapi_schema,
    path: row.path,
    pull_steps: row.pull_steps,
    entrypoint: row.entrypoint,
    storage_document_id: row.storage_document_id,
    infrastructure_document_id: row.infrastructure_document_id,
    created_by: row.created_by,
    updated_by: row.updated_by,
    work_pool_name: row.work_pool_name,
    status: row.status,
    enforce_parameter_schema: row.enforce_parameter_schema,
  }
}

/** Those of a deployment, the one that was changed last first. */
export function schedulesOf({ id, schedules }: DeploymentRow): Static<typeof ScheduleResponse>[] {
  return [...schedules]
    .sort((a, b) => (a.updated < b.updated ? 1 : a.updated > b.updated ? -1 : 0))
    .map(({ id: own, created, updated, ...rest }) => ({ id: own, created, updated, deployment_id: id, ...rest }))
}
