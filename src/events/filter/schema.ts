import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { When } from '../formats.ts'

/** Absent and null mean the same: no restriction. */
const optional = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))

const Texts = Type.Array(Type.String())
const UUID = '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$'

const Moment: typeof When = {
  ...When,
  description: 'ISO 8601 with `T` or a space between date and time, a date alone, or seconds since 1970 as a number.',
}

const Labels = Type.Record(Type.String(), Type.Union([Type.String(), Texts]), {
  description:
    'For each label the values of which one must hold: as it is, with a trailing `*` for any end, with a leading `!` for anything else. A label that is not there matches nothing.',
})

const ResourceFilter = {
  id: optional(Texts),
  id_prefix: optional(Texts),
  labels: optional(Labels),
}

const RelatedFilter = Type.Object({
  id: optional(Texts),
  role: optional(Texts),
  resources_in_roles: optional(Type.Array(Type.Tuple([Type.String(), Type.String()]))),
  labels: optional(Labels),
})

const AnyResourceFilter = Type.Object(ResourceFilter)

const oneOrList = <T extends TSchema>(schema: T) => optional(Type.Union([schema, Type.Array(schema)]))

/**
 * Prefect's filter of events, as its clients send it. Every part restricts; what is absent, null or an empty list does
 * not. Unknown keys are passed over.
 */
export const EventFilter = Type.Object({
  occurred: optional(Type.Object({ since: optional(Moment), until: optional(Moment) })),
  event: optional(
    Type.Object({
      prefix: optional(Texts),
      exclude_prefix: optional(Texts),
      name: optional(Texts),
      exclude_name: optional(Texts),
    }),
  ),
  resource: optional(
    Type.Object({
      ...ResourceFilter,
      distinct: optional(Type.Boolean({ description: 'Of each resource only the first event in this order.' })),
    }),
  ),
  related: oneOrList(RelatedFilter),
  any_resource: oneOrList(AnyResourceFilter),
  id: optional(Type.Object({ id: optional(Type.Array(Type.String({ pattern: UUID }))) })),
  text: optional(
    Type.Object({
      query: Type.String({
        maxLength: 200,
        description:
          'Words to look for, in any case: one of them must be there. `+word` must be there, `-word` or `!word` must not, "several words" are one.',
      }),
    }),
  ),
  order: optional(Type.Union([Type.Literal('ASC'), Type.Literal('DESC')])),
})
export type EventFilter = Static<typeof EventFilter>
export type LabelsFilter = Static<typeof Labels>
