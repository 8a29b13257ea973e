import { type Static, Type } from '@sinclair/typebox'
import { type FlowRunRow, FlowRun as Row } from '#src/events/flow-run.ts'
import { isTerminal, State } from '#src/events/state.ts'
import { secondsBetween } from '#src/orchestration/index.ts'

const { properties } = Row

/** A flow run as clients read it, its members in the order of Prefect's server. */
export const FlowRunResponse = Type.Object({
  ...Type.Pick(Row, ['id', 'created', 'updated', 'name', 'flow_id', 'state_id']).properties,
  ...Type.Pick(Row, ['deployment_id', 'deployment_version', 'work_queue_id', 'work_queue_name']).properties,
  ...Type.Pick(Row, ['flow_version', 'parameters', 'idempotency_key', 'context', 'empirical_policy']).properties,
  ...Type.Pick(Row, ['tags', 'labels', 'parent_task_run_id', 'state_type', 'state_name', 'run_count']).properties,
  ...Type.Pick(Row, ['expected_start_time', 'next_scheduled_start_time', 'start_time', 'end_time']).properties,
  total_run_time: properties.total_run_time,
  estimated_run_time: Type.Number({ description: 'Seconds, with those of the state RUNNING that lasts.' }),
  estimated_start_time_delta: Type.Number({ description: 'Seconds by which it began late, or is late by now.' }),
  ...Type.Pick(Row, ['auto_scheduled', 'infrastructure_document_id', 'infrastructure_pid', 'created_by']).properties,
  ...Type.Pick(Row, ['work_pool_id', 'work_pool_name']).properties,
  state: Type.Union([State, Type.Null()]),
  job_variables: properties.job_variables,
})
export type FlowRunResponse = Static<typeof FlowRunResponse>

/** @param now canonical instant, up to which estimates are made */
export function flowRunOf(run: FlowRunRow, now: string): FlowRunResponse {
  return {
    id: run.id,
    created: run.created,
    updated: run.updated,
    name: run.name,
    flow_id: run.flow_id,
    state_id: run.state_id,
    deployment_id: run.deployment_id,
    deployment_version: run.deployment_version,
    work_queue_id: run.work_queue_id,
    work_queue_name: run.work_queue_name,
    flow_version: run.flow_version,
    parameters: run.parameters,
    idempotency_key: run.idempotency_key,
    context: run.context,
    empirical_policy: run.empirical_policy,
    tags: run.tags,
    labels: run.labels,
    parent_task_run_id: run.parent_task_run_id,
    state_type: run.state_type,
    state_name: run.state_name,
    run_count: run.run_count,
    expected_start_time: run.expected_start_time,
    next_scheduled_start_time: run.next_scheduled_start_time,
    start_time: run.start_time,
    end_time: run.end_time,
    total_run_time: run.total_run_time,
    ...estimates(run, now),
    auto_scheduled: run.auto_scheduled,
    infrastructure_document_id: run.infrastructure_document_id,
    infrastructure_pid: run.infrastructure_pid,
    created_by: run.created_by,
    work_pool_id: run.work_pool_id,
    work_pool_name: run.work_pool_name,
    state: run.state as State,
    job_variables: run.job_variables,
  }
}

/** What of a run is estimated; the same for task runs. */
export interface Estimated {
  readonly total_run_time: number
  readonly state_type: State['type'] | null
  readonly state_timestamp: string | null
  readonly start_time: string | null
  readonly expected_start_time: string | null
}

export function estimates(run: Estimated, now: string) {
  const { total_run_time, state_type, state_timestamp } = run
  const running = state_type === 'RUNNING' && state_timestamp !== null ? secondsBetween(state_timestamp, now) : 0
  return {
    estimated_run_time: rounded(total_run_time + Math.max(0, running)),
    estimated_start_time_delta: rounded(lateness(run, now)),
  }
}

function lateness({ state_type, start_time, expected_start_time }: Estimated, now: string): number {
  if (expected_start_time === null) return 0
  const over = state_type !== null && isTerminal({ type: state_type })
  const began = start_time ?? (over ? expected_start_time : now)
  return Math.max(0, secondsBetween(expected_start_time, began))
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e6
}
