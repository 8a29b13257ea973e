/** A deployment as its events tell it: each carries, in `payload.deployment`, the fields that it set. */
import { type Static, Type } from '@sinclair/typebox'
import { Labels, MaybeId, MaybeInstant, MaybeText, RECORD_COLUMNS, Tags } from './columns.ts'
import { nameText } from './formats.ts'

/** One schedule of a deployment. They are part of it, so that one event changes a deployment and all its schedules. */
export const DeploymentSchedule = Type.Object({
  id: Type.String(),
  created: Type.String(),
  updated: Type.String(),
  /** As its author wrote it: an interval in seconds, a cron expression or a recurrence rule. */
  schedule: Type.Record(Type.String(), Type.Unknown()),
  active: Type.Boolean(),
  max_scheduled_runs: Type.Union([Type.Integer(), Type.Null()]),
  /** Put over those of the deployment. */
  parameters: Type.Record(Type.String(), Type.Unknown()),
  /** Unique within the deployment. */
  slug: MaybeText,
})
export type DeploymentSchedule = Static<typeof DeploymentSchedule>

export const DEPLOYMENT_STATUSES = ['READY', 'NOT_READY'] as const

/** The row of a deployment: names of fields are those of the table `deployment` and, where it has them, of Prefect's API. */
export const Deployment = Type.Object({
  ...RECORD_COLUMNS,
  name: nameText(),
  /** What its author calls this version of it: `version` in the API. */
  deployment_version: MaybeText,
  description: MaybeText,
  flow_id: Type.String(),
  flow_name: nameText(),
  paused: Type.Boolean(),
  schedules: Type.Unsafe<readonly DeploymentSchedule[]>(Type.Unknown()),
  /** Some schedule is active: what the scheduler looks for. */
  has_schedule: Type.Boolean(),
  /** Of a global concurrency limit whose slots its runs take. */
  concurrency_limit_id: MaybeId,
  concurrency_options: Type.Unknown(),
  job_variables: Type.Unknown(),
  parameters: Type.Unsafe<Readonly<Record<string, unknown>>>(Type.Unknown()),
  tags: Tags,
  labels: Labels,
  work_queue_id: MaybeId,
  work_queue_name: MaybeText,
  work_pool_id: MaybeId,
  work_pool_name: MaybeText,
  last_polled: MaybeInstant,
  status: Type.Union(DEPLOYMENT_STATUSES.map((status) => Type.Literal(status))),
  parameter_openapi_schema: Type.Unknown(),
  enforce_parameter_schema: Type.Boolean(),
  path: MaybeText,
  entrypoint: MaybeText,
  pull_steps: Type.Unknown(),
  storage_document_id: MaybeId,
  infrastructure_document_id: MaybeId,
  created_by: Type.Unknown(),
  updated_by: Type.Unknown(),
})
export type DeploymentRow = Static<typeof Deployment>

/** Somebody asked for its runs, and it was ready before. */
export const DEPLOYMENT_POLLED = 'millrace.deployment.polled'
export const DEPLOYMENT_READY = 'prefect.deployment.ready'
export const DEPLOYMENT_NOT_READY = 'prefect.deployment.not-ready'
