import { type Entry, recordsOf } from '#src/bus/index.ts'
import type { Resource } from '#src/events/event.ts'
import type { FilterableEvent } from '#src/events/filter.ts'
import { type EventRecord, eventJson, RecordInBytes } from '#src/events/record.ts'

/**
 * An event on its way to subscribers. Whatever is made of it is made once for all of them, and only when one asks: the
 * parsed resources when a filter looks into them, the frame when somebody wants it.
 */
export class LiveEvent implements FilterableEvent {
  readonly #record: EventRecord
  readonly #received: string
  #resource: Resource | undefined
  #related: readonly Resource[] | undefined
  #frame: Buffer | undefined

  constructor(record: EventRecord, received: string) {
    this.#record = record
    this.#received = received
  }

  get id(): string {
    return this.#record.id
  }
  get occurred(): string {
    return this.#record.occurred
  }
  get event(): string {
    return this.#record.event
  }
  get payload(): string {
    return this.#record.payload
  }
  get resource(): Resource {
    this.#resource ??= JSON.parse(this.#record.resource) as Resource
    return this.#resource
  }
  get related(): readonly Resource[] {
    this.#related ??= JSON.parse(this.#record.related) as Resource[]
    return this.#related
  }
  /** The text frame that subscribers get. */
  get frame(): Buffer {
    this.#frame ??= eventFrame(this.#record, this.#received)
    return this.#frame
  }
}

const decoded = new WeakMap<Entry, readonly LiveEvent[]>()

/** The events of an entry, the same objects for every subscriber; none for an entry that holds no events. */
export function liveEventsOf(entry: Entry): readonly LiveEvent[] {
  if (entry.kind !== 'events') return []
  let events = decoded.get(entry)
  if (events === undefined) {
    events = Array.from(recordsOf(entry), (record) => new LiveEvent(new RecordInBytes(record), entry.received))
    decoded.set(entry, events)
  }
  return events
}

/** `{"type":"event","event":{…}}`, as bytes, so that it is encoded once for all subscribers. */
export function eventFrame(record: EventRecord, received: string): Buffer {
  return Buffer.from(`{"type":"event","event":${eventJson(record, received)}}`)
}
