import { type Static, Type } from '@sinclair/typebox'
import { State } from '#src/events/state.ts'
import { TaskRun as Row, type TaskRunRow } from '#src/events/task-run.ts'
import { estimates } from './flow-run-response.ts'

/** A task run as clients read it, its members in the order of Prefect's server. */
export const TaskRunResponse = Type.Object({
  ...Type.Pick(Row, ['id', 'created', 'updated', 'name', 'flow_run_id', 'task_key', 'dynamic_key']).properties,
  ...Type.Pick(Row, ['cache_key', 'cache_expiration', 'task_version', 'empirical_policy', 'tags', 'labels']).properties,
  ...Type.Pick(Row, ['state_id', 'task_inputs', 'state_type', 'state_name', 'run_count']).properties,
  ...Type.Pick(Row, ['flow_run_run_count', 'expected_start_time', 'next_scheduled_start_time']).properties,
  ...Type.Pick(Row, ['start_time', 'end_time', 'total_run_time']).properties,
  estimated_run_time: Type.Number({ description: 'Seconds, with those of the state RUNNING that lasts.' }),
  estimated_start_time_delta: Type.Number({ description: 'Seconds by which it began late, or is late by now.' }),
  state: State,
})
export type TaskRunResponse = Static<typeof TaskRunResponse>

/** @param now canonical instant, up to which estimates are made */
export function taskRunResponse(run: TaskRunRow, now: string): TaskRunResponse {
  return {
    id: run.id,
    created: run.created,
    updated: run.updated,
    name: run.name,
    flow_run_id: run.flow_run_id,
    task_key: run.task_key,
    dynamic_key: run.dynamic_key,
    cache_key: run.cache_key,
    cache_expiration: run.cache_expiration,
    task_version: run.task_version,
    empirical_policy: run.empirical_policy,
    tags: run.tags,
    labels: run.labels,
    state_id: run.state_id,
    task_inputs: run.task_inputs,
    state_type: run.state_type,
    state_name: run.state_name,
    run_count: run.run_count,
    flow_run_run_count: run.flow_run_run_count,
    expected_start_time: run.expected_start_time,
    next_scheduled_start_time: run.next_scheduled_start_time,
    start_time: run.start_time,
    end_time: run.end_time,
    total_run_time: run.total_run_time,
    ...estimates(run, now),
    state: run.state as State,
  }
}
