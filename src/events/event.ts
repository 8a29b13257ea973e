import { type Static, Type } from '@sinclair/typebox'

/** What names and describes one thing an event is about; always with a non-empty `prefect.resource.id`. */
export type Resource = Readonly<Record<string, string>>

/** An event in the envelope of Prefect 3: what its clients send and what every consumer here sees. */
export interface Event {
  readonly id: string
  /** Canonical instant, see `instant.ts`. */
  readonly occurred: string
  readonly event: string
  readonly resource: Resource
  /** Each also has a non-empty `prefect.resource.role`. */
  readonly related: readonly Resource[]
  readonly payload: Readonly<Record<string, unknown>>
  readonly follows: string | null
}

/** An event with the instant at which this server took it. */
export interface ReceivedEvent extends Event {
  readonly received: string
}

export const RESOURCE_ID = 'prefect.resource.id'
export const RESOURCE_ROLE = 'prefect.resource.role'

/** The envelope's limits, from settings. */
export interface Limits {
  /** Bytes of one event's JSON. */
  readonly maxBytes: number
  readonly maxLabels: number
  readonly maxRelated: number
  /** Characters (UTF-16 units) of an event's name. */
  readonly maxNameLength: number
  /** Levels of nesting of one event's JSON. */
  readonly maxDepth: number
  /** Events that occurred longer ago are `expired`. */
  readonly retentionMs: number
}

/** What became of one event of a batch, in the order of the batch. */
export const Verdict = Type.Object({
  id: Type.Union([Type.String(), Type.Null()], { description: "The event's id, null when it has no readable one." }),
  status: Type.Union([
    Type.Literal('accepted'),
    Type.Literal('duplicate'),
    Type.Literal('invalid'),
    Type.Literal('expired'),
  ]),
  reason: Type.Optional(Type.String({ description: 'What is wrong, for `invalid` and `expired`.' })),
})
export type Verdict = Static<typeof Verdict>
