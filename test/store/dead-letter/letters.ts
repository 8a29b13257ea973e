/** Dead letters to put into a database of a test's own. */
import { randomUUID } from 'node:crypto'
import type { CheckedEvent } from '#src/events/check.ts'
import { encodeEvent } from '#src/events/encode.ts'
import { instantOfMs } from '#src/events/instant.ts'
import { type DeadLetter, INGEST } from '#src/store/dead-letter.ts'

/** A record as a consumer parks it. */
export function recordOf(event: string, resourceId: string, payload = '{}'): Buffer {
  const checked: CheckedEvent = {
    id: randomUUID(),
    occurred: instantOfMs(Date.now()),
    event,
    resource: { 'prefect.resource.id': resourceId },
    related: [],
    payload: {},
    follows: null,
  }
  return encodeEvent(checked, Buffer.from(payload)).record
}

let seq = 0

/** A letter of the persister, each at a later position than the one before. */
export function letter(given: Partial<DeadLetter> = {}): DeadLetter {
  const { partition = 0, ms = 1_000, seq: at = ++seq, index = 0 } = given
  const position = `${partition}/${ms}-${at}/${index}`
  const body = recordOf('order.placed', 'order.1')
  return {
    id: randomUUID(),
    group: 'persister',
    partition,
    ms,
    seq: at,
    index,
    position,
    reason: 'is bad',
    body,
    ...given,
  }
}

/** A body that was handed in and is no event. */
export function ingestLetter(body: string | Buffer, given: Partial<DeadLetter> = {}): DeadLetter {
  return letter({ group: INGEST, reason: 'is no event', body: Buffer.from(body), ...given })
}
