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

/** Before a record's name come an instant and an id, each of a fixed length, and a delimiter after each. */
const INSTANT_LENGTH = '2026-11-24T00:04:11.208894Z'.length
/** Where a record's bytes have the event's id, from 0. */
export const ID_IN_RECORD = { at: INSTANT_LENGTH + DELIMITER.length, length: 36 } as const
const NAME_AT = ID_IN_RECORD.at + ID_IN_RECORD.length + DELIMITER.length + QUOTE.length
const QUOTE_BYTE = QUOTE.charCodeAt(0)

/** The event's name alone. @throws RangeError when the bytes are no record */
export function nameIn(record: Buffer): string {
  return quotedAt(record, NAME_AT)
}

function quotedAt(record: Buffer, from: number): string {
  const end = record.indexOf(QUOTE_BYTE, from)
  if (end < 0) throw new RangeError(`a record has ${FIELDS} fields, these bytes end before the fourth`)
  return record.toString('utf8', from, end)
}

/** A record of which what comes behind the resource's id is decoded when somebody asks for it: many never do. */
export class RecordInBytes implements EventRecord {
  readonly occurred: string
  readonly id: string
  readonly event: string
  readonly resourceId: string
  readonly #bytes: Buffer
  #whole: EventRecord | undefined

  /**
   * @param name of the event, where it was read before
   * @throws RangeError when the bytes are no record
   */
  constructor(bytes: Buffer, name = nameIn(bytes)) {
    const nameEnd = bytes.indexOf(QUOTE_BYTE, NAME_AT)
    this.#bytes = bytes
    this.occurred = bytes.toString('latin1', 0, INSTANT_LENGTH)
    this.id = bytes.toString('latin1', ID_IN_RECORD.at, ID_IN_RECORD.at + ID_IN_RECORD.length)
    this.event = name
    this.resourceId = quotedAt(bytes, nameEnd + 2 * QUOTE.length + DELIMITER.length)
  }

  get #decoded(): EventRecord {
    this.#whole ??= decodeRecord(this.#bytes)
    return this.#whole
  }

  get follows(): string | null {
    return this.#decoded.follows
  }

  get resource(): string {
    return this.#decoded.resource
  }

  get related(): string {
    return this.#decoded.related
  }

  get payload(): string {
    return this.#decoded.payload
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
