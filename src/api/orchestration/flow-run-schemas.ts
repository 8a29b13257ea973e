/** Bodies of requests about flow runs, and what commands are made of them. */
import { type Static, Type } from '@sinclair/typebox'
import type { FlowRunPolicy } from '#src/events/flow-run.ts'
import { indexedText } from '#src/events/formats.ts'
import { type FlowRunUpdate, type NewFlowRun, runName } from '#src/orchestration/index.ts'
import { RequestInvalid } from '../validation.ts'
import { Labels, maybe, Tags, Uuid, uuid } from './fields.ts'
import { StateCreate } from './states.ts'

/** Prefect ignores members of a policy that it doesn't know. */
const Policy = Type.Object({
  max_retries: Type.Optional(Type.Integer()),
  retry_delay_seconds: Type.Optional(Type.Number()),
  retries: maybe(Type.Integer()),
  retry_delay: maybe(Type.Integer()),
  pause_keys: maybe(Type.Array(Type.String())),
  resuming: maybe(Type.Boolean()),
  retry_type: maybe(Type.Union([Type.Literal('in_process'), Type.Literal('reschedule')])),
})
const Anything = Type.Record(Type.String(), Type.Unknown())
const Text = maybe(Type.String())

export const FlowRunCreate = Type.Object(
  {
    state: maybe(StateCreate),
    name: maybe(indexedText()),
    flow_id: Uuid,
    flow_version: Text,
    parameters: Type.Optional(Anything),
    context: Type.Optional(Anything),
    parent_task_run_id: maybe(Uuid),
    infrastructure_document_id: maybe(Uuid),
    empirical_policy: Type.Optional(Policy),
    tags: Type.Optional(Tags),
    labels: maybe(Labels),
    idempotency_key: maybe(indexedText()),
    work_pool_name: Text,
    work_queue_name: Text,
    job_variables: maybe(Anything),
    deployment_id: maybe(Uuid),
  },
  { additionalProperties: false },
)

export const FlowRunChange = Type.Object(
  {
    name: maybe(indexedText()),
    flow_version: Text,
    parameters: Type.Optional(Anything),
    empirical_policy: Type.Optional(Policy),
    tags: Type.Optional(Tags),
    infrastructure_pid: Text,
    job_variables: maybe(Anything),
  },
  { additionalProperties: false },
)

/** Bytes of a run's parameters as JSON, as on Prefect's server. */
const MAX_PARAMETERS_BYTES = 524_288

/** @throws RequestInvalid in the words of Prefect's server */
export function checkParameters(parameters: object | undefined): void {
  if (parameters === undefined) return
  const size = Buffer.byteLength(JSON.stringify(parameters))
  if (size <= MAX_PARAMETERS_BYTES) return
  const msg = `Value error, Flow run parameters must be less than ${counted(MAX_PARAMETERS_BYTES)} bytes when serialized (got ${counted(size)} bytes).`
  throw new RequestInvalid([{ type: 'value_error', loc: ['body', 'parameters'], msg, input: null }])
}

function counted(bytes: number): string {
  return bytes.toLocaleString('en-US')
}

/** The policy that a body describes: the older names of retries stand for the newer ones, where these say nothing. */
export function policyOf(policy: Static<typeof Policy> = {}): FlowRunPolicy {
  const { max_retries = 0, retry_delay_seconds = 0, retries, retry_delay } = policy
  return {
    max_retries,
    retry_delay_seconds,
    retries: !retries && max_retries !== 0 ? max_retries : (retries ?? null),
    retry_delay: !retry_delay && retry_delay_seconds !== 0 ? Math.trunc(retry_delay_seconds) : (retry_delay ?? null),
    pause_keys: policy.pause_keys ?? [],
    resuming: policy.resuming === undefined ? false : policy.resuming,
    retry_type: policy.retry_type ?? null,
  }
}

/** The changes that a body asks for: what it leaves out stays as it is. */
export function changesOf(body: Static<typeof FlowRunChange>): FlowRunUpdate {
  const { name, empirical_policy, job_variables, ...others } = body
  checkParameters(body.parameters)
  return {
    ...others,
    ...(name !== undefined && { name: name || runName() }),
    ...(job_variables !== undefined && { job_variables }),
    ...(empirical_policy !== undefined && { empirical_policy: policyOf(empirical_policy) }),
  }
}

/** The part of a new run that the body alone says. */
export function newRun(body: Static<typeof FlowRunCreate>): Omit<NewFlowRun, 'id' | 'flow_name'> {
  checkParameters(body.parameters)
  const { state: _, labels, job_variables, empirical_policy, work_pool_name: _pool, work_queue_name, ...given } = body
  return {
    ...given,
    name: body.name || runName(),
    work_queue_name: work_queue_name ?? null,
    ...(labels && { labels }),
    ...(job_variables && { job_variables }),
    ...idsOf(body),
    empirical_policy: policyOf(empirical_policy),
  }
}

/** In their canonical form. */
function idsOf(body: Static<typeof FlowRunCreate>) {
  const { flow_id, parent_task_run_id, infrastructure_document_id, deployment_id } = body
  return {
    flow_id: uuid(flow_id),
    parent_task_run_id: parent_task_run_id ? uuid(parent_task_run_id) : null,
    infrastructure_document_id: infrastructure_document_id ? uuid(infrastructure_document_id) : null,
    deployment_id: deployment_id ? uuid(deployment_id) : null,
  }
}
