import type { CheckedEvent } from './check.ts'
import { RESOURCE_ID } from './event.ts'
import { hashOrderingKey, orderingKey } from './ordering-key.ts'
import { DELIMITER, QUOTE } from './record.ts'
import { termsOf } from './terms.ts'

/** An event ready for its partition's stream. */
export interface EncodedEvent {
  /** Canonical UUID. */
  readonly id: string
  /** Hash of the ordering key, 32 bits unsigned; modulo the number of partitions it names the partition. */
  readonly keyHash: number
  /** Epoch milliseconds, rounded down. */
  readonly occurredMs: number
  /** The day it occurred on, in days since the epoch (UTC). */
  readonly day: number
  /** See `record.ts`. */
  readonly record: Buffer
}

const DAY_MS = 86_400_000
const TAIL = `${QUOTE}\n`

/**
 * Encodes a checked event. The payload's bytes are copied as they came, never parsed and written again, so that numbers
 * keep their digits; `payload` is where they stand.
 */
export function encodeEvent(event: CheckedEvent, payload: Buffer): EncodedEvent {
  const { occurred, id, resource, related, follows } = event
  const terms = termsOf(resource, related).join(',')
  const head =
    `${occurred.iso}${DELIMITER}${id}${DELIMITER}${QUOTE}${event.event}${QUOTE}${DELIMITER}` +
    `${QUOTE}${resource[RESOURCE_ID]}${QUOTE}${DELIMITER}{${terms}}${DELIMITER}${follows ?? ''}${DELIMITER}` +
    `${QUOTE}${JSON.stringify(resource)}${QUOTE}${DELIMITER}${QUOTE}${JSON.stringify(related)}${QUOTE}${DELIMITER}${QUOTE}`
  const headBytes = Buffer.byteLength(head)
  const record = Buffer.allocUnsafe(headBytes + payload.length + TAIL.length)
  record.write(head, 0)
  payload.copy(record, headBytes)
  record.write(TAIL, headBytes + payload.length, 'latin1')
  return {
    id,
    keyHash: hashOrderingKey(orderingKey(event)),
    occurredMs: occurred.ms,
    day: Math.floor(occurred.ms / DAY_MS),
    record,
  }
}
