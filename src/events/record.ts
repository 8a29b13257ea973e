/**
 * A record: one event as it travels through the streams. It is already a row of the log's COPY format (csv, delimiter
 * 0x01, quote 0x02), so the persister puts the position before it and looks at nothing inside; the two control
 * characters can't occur in JSON, so nothing is ever escaped and the payload stays byte for byte as received.
 */
export const DELIMITER = '\x01'
export const QUOTE = '\x02'
const FIELDS = 9

/** The fields of a record, as text; resource, related and payload are JSON. */
export interface EventRecord {
  readonly occurred: string
  readonly id: string
  readonly event: string
  readonly resourceId: string
  readonly follows: string | null
  readonly resource: string
  readonly related: string
  readonly payload: string
}

/** Columns of `event` that a record fills, in its order; the position's, which come before them, are the persister's. */
export const RECORD_COLUMNS = [
  'occurred',
  'id',
  'event',
  'resource_id',
  'terms',
  'follows',
  'resource',
  'related',
  'payload',
] as const

/** Reads one record. @throws RangeError when the bytes are none */
export function decodeRecord(bytes: Buffer): EventRecord {
  const fields = bytes.toString('utf8', 0, bytes.length - 1).split(DELIMITER)
  if (fields.length !== FIELDS) throw new RangeError(`a record has ${FIELDS} fields, this one ${fields.length}`)
  const [occurred, id, event, resourceId, , follows, resource, related, payload] = fields
  return {
    occurred: occurred ?? '',
    id: id ?? '',
    event: unquote(event),
    resourceId: unquote(resourceId),
    follows: follows ? follows : null,
    resource: unquote(resource),
    related: unquote(related),
    payload: unquote(payload),
  }
}

/** The event as JSON text in the envelope's order, assembled without parsing anything. */
export function eventJson(record: EventRecord, received: string): string {
  const follows = record.follows === null ? 'null' : `"${record.follows}"`
  return `{"occurred":"${record.occurred}","event":${JSON.stringify(record.event)},"resource":${record.resource},"related":${record.related},"payload":${record.payload},"id":"${record.id}","follows":${follows},"received":"${received}"}`
}

function unquote(field: string | undefined): string {
  return field === undefined ? '' : field.slice(1, -1)
}
