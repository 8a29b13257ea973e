/**
 * What belonged to a flow run leaves after the run itself: an event names the rows, by table and key, so that projections
 * need to know nothing but events, and a rebuild comes to the same rows.
 */
import { type Event, RESOURCE_ID } from './event.ts'
import { uuidOf } from './set-fields.ts'

/** Its resource is the run that was deleted; rows are in `payload.cleared`. */
export const FLOW_RUN_CLEARED = 'millrace.flow-run.cleared'

/** Ids of rows by table. */
export type ClearedRows = Readonly<Record<string, readonly string[]>>

/** @param occurred canonical instant */
export function clearedEvent(runId: string, cleared: ClearedRows, id: string, occurred: string): Event {
  const resource = { [RESOURCE_ID]: `prefect.flow-run.${runId}` }
  return { id, occurred, event: FLOW_RUN_CLEARED, resource, related: [], payload: { cleared }, follows: null }
}

/** Ids of a table's rows that such an event names; none in other events. */
export function clearedFrom(table: string, { event, payload }: Pick<Event, 'event' | 'payload'>): readonly string[] {
  if (event !== FLOW_RUN_CLEARED) return []
  const ids = (payload['cleared'] as ClearedRows | undefined)?.[table]
  return Array.isArray(ids) ? ids.filter((id) => UUID.test(id)) : []
}

/** Whether a row belongs to the run that an event is about: rows of others are not in its order, and not its to clear. */
export function isOfRun(
  row: { readonly flow_run_id: string | null } | null,
  { resource }: Pick<Event, 'resource'>,
): boolean {
  return row?.flow_run_id === uuidOf(resource[RESOURCE_ID] ?? '')
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
