import type { EventDefinition } from '#src/events/define-event.ts'
import type { ReceivedEvent, Resource } from '#src/events/event.ts'
import { parseExact } from '#src/events/exact-json.ts'
import { orderingKey } from '#src/events/ordering-key.ts'
import { type EventRecord, RecordInBytes } from '#src/events/record.ts'

/** Where an event was appended: integers, compared in this order within a partition. */
export interface Position {
  readonly partition: number
  readonly ms: number
  readonly seq: number
  readonly index: number
}

/** An event's place, and when it came there. */
export interface Arrival extends Position {
  readonly received: string
}

/**
 * An event as projections see it: in Prefect's envelope, with its place. Its parts are read when somebody asks for them,
 * and only once for all projections.
 */
export class ProjectedEvent implements ReceivedEvent {
  readonly position: Arrival
  readonly #record: EventRecord
  #id: string | undefined
  #occurred: string | undefined
  #resourceId: string | undefined
  #resource: Resource | undefined
  #related: readonly Resource[] | undefined
  #payload: Readonly<Record<string, unknown>> | undefined
  #read: { readonly definition: EventDefinition; readonly data: unknown } | undefined

  constructor(record: EventRecord, arrival: Arrival) {
    this.#record = record
    this.position = arrival
  }

  /**
   * @param name of the event, where it was read before
   * @throws RangeError when the bytes are no record
   */
  static fromBytes(record: Buffer, arrival: Arrival, name?: string): ProjectedEvent {
    return new ProjectedEvent(new RecordInBytes(record, name), arrival)
  }

  get received(): string {
    return this.position.received
  }

  get id(): string {
    this.#id ??= this.#record.id
    return this.#id
  }

  /** Canonical instant. */
  get occurred(): string {
    this.#occurred ??= this.#record.occurred
    return this.#occurred
  }

  /** Its name. */
  get event(): string {
    return this.#record.event
  }

  /** The id of its own resource, without parsing anything. */
  get resourceId(): string {
    this.#resourceId ??= this.#record.resourceId
    return this.#resourceId
  }

  get follows(): string | null {
    return this.#record.follows
  }

  get resource(): Resource {
    this.#resource ??= JSON.parse(this.#record.resource) as Resource
    return this.#resource
  }

  get related(): readonly Resource[] {
    this.#related ??= JSON.parse(this.#record.related) as Resource[]
    return this.#related
  }

  /** A number that JavaScript can't hold keeps its digits, as an object that `JSON.stringify` writes as it was. */
  get payload(): Readonly<Record<string, unknown>> {
    this.#payload ??= parseExact(this.#record.payload) as Record<string, unknown>
    return this.#payload
  }

  /**
   * The payload as today's version of a definition has it, whatever version it was written in.
   * @throws TypeError when it isn't what the definition says
   */
  read<Data>(definition: EventDefinition<Data>): Data {
    if (this.#read?.definition !== definition)
      this.#read = { definition, data: definition.read(this.resource, this.payload) }
    return this.#read.data as Data
  }

  /** What it is ordered by: of events that share it, later ones come later. */
  get orderingKey(): string {
    return orderingKey(this)
  }
}
