/** Events of flow runs: named and shaped like those of Prefect's server, and with the fields of the run that they set. */
import { type Event, RESOURCE_ID, RESOURCE_ROLE, type Resource } from '#src/events/event.ts'
import { FLOW_RUN_DELETED, FLOW_RUN_UPDATED, type FlowRunRow } from '#src/events/flow-run.ts'
import type { State } from '#src/events/state.ts'
import { cleanText } from '#src/events/storable.ts'
import { changedFields, type DecisionContext } from '../decision.ts'
import { secondsBetween } from '../instants.ts'
import { relatedTags } from '../related.ts'

/** Characters of a state's message in an event; the state itself has them all. */
const MESSAGE_LENGTH = 100_000
/** Only events that come this close together say which one they follow: the order of others shows in their times. */
const TIGHT_SECONDS = 300

/** What is known of the things that a run belongs to, and that it doesn't hold itself. */
export interface Surroundings {
  readonly flowTags: readonly string[]
  readonly deployment: { readonly id: string; readonly name: string; readonly tags: readonly string[] } | null
  readonly workPoolType: string | null
  readonly parentTaskRun: { readonly name: string; readonly tags: readonly string[] } | null
}

export const ALONE: Surroundings = { flowTags: [], deployment: null, workPoolType: null, parentTaskRun: null }

/** The event of a change of state. Its id is that of the state. */
export function stateEvent(before: FlowRunRow | null, after: FlowRunRow, around: Surroundings): Event {
  const from = (before?.state ?? null) as State | null
  const to = after.state as State
  const isTight = from !== null && Math.abs(secondsBetween(from.timestamp, to.timestamp)) < TIGHT_SECONDS
  return {
    id: to.id,
    occurred: to.timestamp,
    event: `prefect.flow-run.${to.name}`,
    resource: {
      ...resourceOf(after),
      'prefect.run-count': String(after.run_count),
      'prefect.state-message': cleanText(cut(to.message ?? '')),
      'prefect.state-name': to.name,
      'prefect.state-timestamp': to.timestamp.replace('Z', '+00:00'),
      'prefect.state-type': to.type,
    },
    related: relatedTo(after, around),
    payload: {
      intended: { from: from?.type ?? null, to: to.type },
      initial_state: from && summaryOf(from),
      validated_state: summaryOf(to),
      flow_run: changedFields(before, after),
    },
    follows: isTight ? from.id : null,
  }
}

/** The event of any other change. */
export function updateEvent(
  before: FlowRunRow,
  after: FlowRunRow,
  around: Surroundings,
  { newId }: DecisionContext,
): Event {
  return {
    id: newId(),
    occurred: after.updated,
    event: FLOW_RUN_UPDATED,
    resource: resourceOf(after),
    related: relatedTo(after, around),
    payload: { flow_run: changedFields(before, after) },
    follows: null,
  }
}

/** The event after which there is no such run. */
export function deleteEvent(run: FlowRunRow, around: Surroundings, { now, newId }: DecisionContext): Event {
  return {
    id: newId(),
    occurred: now,
    event: FLOW_RUN_DELETED,
    resource: resourceOf(run),
    related: relatedTo(run, around),
    payload: {},
    follows: null,
  }
}

function resourceOf({ id, name }: FlowRunRow): Resource {
  return { [RESOURCE_ID]: `prefect.flow-run.${id}`, 'prefect.resource.name': name }
}

function relatedTo(run: FlowRunRow, around: Surroundings): Resource[] {
  const { deployment, parentTaskRun, flowTags, workPoolType } = around
  const tags = [...run.tags, ...flowTags, ...(deployment?.tags ?? []), ...(parentTaskRun?.tags ?? [])]
  return [
    related('flow', run.flow_id, run.flow_name),
    ...(deployment ? [related('deployment', deployment.id, deployment.name)] : []),
    ...(run.work_queue_id ? [related('work-queue', run.work_queue_id, run.work_queue_name ?? '')] : []),
    ...(run.work_pool_id
      ? [
          {
            ...related('work-pool', run.work_pool_id, run.work_pool_name ?? ''),
            'prefect.work-pool.type': workPoolType ?? '',
          },
        ]
      : []),
    ...(run.parent_task_run_id ? [related('task-run', run.parent_task_run_id, parentTaskRun?.name ?? '')] : []),
    ...relatedTags(tags),
    ...creatorOf(run),
  ]
}

function related(kind: string, id: string, name: string): Resource {
  return { [RESOURCE_ID]: `prefect.${kind}.${id}`, [RESOURCE_ROLE]: kind, 'prefect.resource.name': name }
}

function creatorOf({ created_by }: FlowRunRow): Resource[] {
  const by = created_by as {
    readonly id?: string
    readonly type?: string
    readonly display_value?: string | null
  } | null
  if (by?.type !== 'DEPLOYMENT' && by?.type !== 'AUTOMATION') return []
  const creator = { [RESOURCE_ID]: `prefect.${by.type.toLowerCase()}.${by.id}`, [RESOURCE_ROLE]: 'creator' }
  return [by.display_value ? { ...creator, 'prefect.resource.name': by.display_value } : creator]
}

/** What Prefect's events say of a state. */
function summaryOf({ type, name, message, state_details }: State): Record<string, string> {
  return {
    type,
    name,
    ...(message && { message: cut(message) }),
    ...(type === 'PAUSED' && { pause_reschedule: String(state_details.pause_reschedule) }),
  }
}

/** Not within a character that takes two places, such as an emoji. */
function cut(message: string): string {
  if (message.length <= MESSAGE_LENGTH) return message
  const isWithin = (message.codePointAt(MESSAGE_LENGTH - 1) as number) > 0xffff
  return message.slice(0, isWithin ? MESSAGE_LENGTH - 1 : MESSAGE_LENGTH)
}
