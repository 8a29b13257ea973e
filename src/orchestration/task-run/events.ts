/**
 * Events of task runs that servers change: those that stand for a nested flow, and those that wait for a worker. Clients
 * decide over all others, and only tell of them; the events here are of that same form, so one projection takes both.
 */
import { type Event, RESOURCE_ID, RESOURCE_ROLE } from '#src/events/event.ts'
import type { State } from '#src/events/state.ts'
import { cleanText } from '#src/events/storable.ts'
import { TASK_RUN_DELETED, TASK_RUN_UPDATED, type TaskRunRow } from '#src/events/task-run.ts'
import { relatedTags } from '../related.ts'

/** The event of a change of state. Its id is that of the state. */
export function taskRunEvent(before: TaskRunRow | null, after: TaskRunRow): Event {
  const [from, to] = [(before?.state ?? null) as State | null, after.state as State]
  return {
    id: to.id,
    occurred: to.timestamp,
    event: `prefect.task-run.${to.name}`,
    resource: {
      [RESOURCE_ID]: resourceOf(after.id),
      'prefect.resource.name': after.name,
      'prefect.run-count': String(after.run_count),
      'prefect.state-message': cleanText(to.message ?? ''),
      'prefect.state-name': to.name,
      'prefect.state-timestamp': to.timestamp.replace('Z', '+00:00'),
      'prefect.state-type': to.type,
      'prefect.orchestration': 'server',
    },
    related: relatedTo(after),
    payload: {
      intended: { from: from?.type ?? null, to: to.type },
      initial_state: from && summaryOf(from),
      validated_state: { ...summaryOf(to), data: to.data },
      task_run: told(after),
    },
    follows: from?.id ?? null,
  }
}

interface World {
  readonly now: string
  newId(): string
}

/** The event of a new name. */
export function renamedEvent(run: TaskRunRow, name: string, world: World): Event {
  return ownEvent(TASK_RUN_UPDATED, { ...run, name }, { name }, world)
}

/** The event after which there is no such task run. */
export function deletedEvent(run: TaskRunRow, world: World): Event {
  return ownEvent(TASK_RUN_DELETED, run, {}, world)
}

function ownEvent(event: string, run: TaskRunRow, payload: Event['payload'], { now, newId }: World): Event {
  return {
    id: newId(),
    occurred: now,
    event,
    resource: { [RESOURCE_ID]: resourceOf(run.id), 'prefect.resource.name': run.name },
    related: relatedTo(run),
    payload,
    follows: null,
  }
}

export function resourceOf(id: string): string {
  return `prefect.task-run.${id}`
}

/** What all of its events are ordered by, those of clients as well. */
export function orderedBy({ id, flow_run_id }: Pick<TaskRunRow, 'id' | 'flow_run_id'>): string {
  return flow_run_id === null ? resourceOf(id) : `prefect.flow-run.${flow_run_id}`
}

/** By the flow run such events are ordered. */
function relatedTo({ flow_run_id, tags }: TaskRunRow): Event['related'] {
  return [
    ...(flow_run_id ? [{ [RESOURCE_ID]: `prefect.flow-run.${flow_run_id}`, [RESOURCE_ROLE]: 'flow-run' }] : []),
    ...relatedTags(tags),
  ]
}

function summaryOf({ type, name, message, state_details }: State): Record<string, unknown> {
  return { type, name, message: message ?? '', state_details }
}

/** What clients tell of a run beside its state. */
function told(run: TaskRunRow): Record<string, unknown> {
  const { name, task_key, dynamic_key, cache_key, cache_expiration, task_version, empirical_policy } = run
  const { tags, labels, task_inputs, run_count, flow_run_run_count } = run
  const { expected_start_time, start_time, end_time, total_run_time } = run
  return {
    ...{ name, task_key, dynamic_key, cache_key, cache_expiration, task_version, empirical_policy },
    ...{ tags, labels, task_inputs, run_count, flow_run_run_count },
    ...{ expected_start_time, start_time, end_time, total_run_time },
  }
}
