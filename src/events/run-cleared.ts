/**
 * What belonged to a run leaves after the run itself: an event names the rows, by table and key, so that projections need
 * to know nothing but events, and a rebuild comes to the same rows.
 */
import { type Event, RESOURCE_ID, RESOURCE_ROLE } from './event.ts'
import { uuidOf } from './set-fields.ts'

/** Its resource is the flow run that was deleted; rows are in `payload.cleared`. */
export const FLOW_RUN_CLEARED = 'millrace.flow-run.cleared'
/** The same of a task run. Its flow run, if it had one, is related: it is ordered by that, as all that it tells of. */
export const TASK_RUN_CLEARED = 'millrace.task-run.cleared'

/** Keys of rows by table. */
export type ClearedRows = Readonly<Record<string, readonly string[]>>

/** The run that rows belonged to. */
export type ClearedRun =
  | { readonly kind: 'flow-run'; readonly id: string }
  | { readonly kind: 'task-run'; readonly id: string; readonly flowRunId: string | null }

/** @param occurred canonical instant */
export function clearedEvent(run: ClearedRun, cleared: ClearedRows, id: string, occurred: string): Event {
  const flowRunId = run.kind === 'task-run' ? run.flowRunId : null
  return {
    id,
    occurred,
    event: run.kind === 'flow-run' ? FLOW_RUN_CLEARED : TASK_RUN_CLEARED,
    resource: { [RESOURCE_ID]: resourceOfRun(run) },
    related:
      flowRunId === null ? [] : [{ [RESOURCE_ID]: `prefect.flow-run.${flowRunId}`, [RESOURCE_ROLE]: 'flow-run' }],
    payload: { cleared },
    follows: null,
  }
}

/** The id of a run's resource. */
export function resourceOfRun({ kind, id }: Pick<ClearedRun, 'kind' | 'id'>): string {
  return `prefect.${kind}.${id}`
}

/**
 * Keys of a table's rows that such an event names, those of the right form. None in other events, whose payloads nobody parses
 * for it.
 */
export function clearedFrom(
  table: string,
  event: Pick<Event, 'event' | 'payload'>,
  form: RegExp = UUID,
): readonly string[] {
  if (event.event !== FLOW_RUN_CLEARED && event.event !== TASK_RUN_CLEARED) return NONE
  const keys = (event.payload['cleared'] as ClearedRows | undefined)?.[table]
  return Array.isArray(keys) ? keys.filter((key) => form.test(key)) : []
}

/** Whether a row belongs to the flow run that an event is about: rows of others are not in its order, and not its to clear. */
export function isOfRun(
  row: { readonly flow_run_id: string | null } | null,
  { resource }: Pick<Event, 'resource'>,
): boolean {
  return row?.flow_run_id === uuidOf(resource[RESOURCE_ID] ?? '')
}

/** The same of a task run: what belongs to a flow run as well stays with that. */
export function isOfTaskRun(
  row: { readonly flow_run_id: string | null; readonly task_run_id: string | null } | null,
  { resource }: Pick<Event, 'resource'>,
): boolean {
  return row?.flow_run_id === null && row.task_run_id === uuidOf(resource[RESOURCE_ID] ?? '')
}

const NONE: readonly string[] = Object.freeze([])
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
