import type { Event } from './event.ts'
import { isUuid } from './uuid.ts'

/**
 * The row with the fields that an event of a command sets, which it carries in its payload under the name of what it is
 * about. The first event has all fields. An event without them was made by somebody else, and changes nothing.
 */
export function setFields<Row extends object>(
  row: Row | null,
  event: Pick<Event, 'payload'>,
  name: string,
): Row | null {
  const fields = event.payload[name]
  if (typeof fields !== 'object' || fields === null) return row
  return { ...row, ...fields } as Row
}

/** The UUID at the end of a resource's id, such as `prefect.flow-run.<uuid>`; null when there is none. */
export function uuidOf(resourceId: string): string | null {
  const text = resourceId.slice(-36)
  return isUuid(text) ? text : null
}
