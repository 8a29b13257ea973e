/**
 * The shapes of events for whoever reads the description of the API. They show the limits' defaults; what comes in is
 * checked by `check.ts` and `cloudevents/`, which know the settings and say what is wrong in a sentence.
 */
import { type TObject, Type } from '@sinclair/typebox'

const Occurred = Type.Union([Type.String({ format: 'date-time' }), Type.Number()], {
  description: 'ISO 8601 with `T` or a space (UTC without an offset), or seconds since 1970 as a number.',
})

const Resource = Type.Record(Type.String(), Type.String(), {
  required: ['prefect.resource.id'],
  maxProperties: 500,
  description: 'Labels of one thing; `prefect.resource.id` names it, in at most 2,560 bytes of UTF-8.',
})

const RelatedResource = Type.Record(Type.String(), Type.String(), {
  required: ['prefect.resource.id', 'prefect.resource.role'],
  maxProperties: 500,
  description: 'Labels of another thing that the event concerns; `prefect.resource.role` says how.',
})

const content = {
  event: Type.String({ minLength: 1, maxLength: 1_024, description: 'What happened, such as `order.placed`.' }),
  resource: Resource,
}

/** An event as it comes in: at most 1,500,000 bytes of JSON. */
export const EventSchema: TObject = Type.Object(
  {
    id: Type.String({ format: 'uuid', description: "The sender's: an event sent again with it is a duplicate." }),
    occurred: Occurred,
    ...content,
    related: Type.Optional(Type.Array(RelatedResource, { maxItems: 100, default: [] })),
    payload: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { default: {} })),
    follows: Type.Optional(
      Type.Union([Type.String({ format: 'uuid' }), Type.Null()], { description: 'Id of the event before it.' }),
    ),
  },
  { description: "An event in Prefect's envelope." },
)

const Attribute = Type.String({ minLength: 1 })

/** A CloudEvent of version 1.0 in the JSON format; `docs/events.md` says what becomes of it. */
export const CloudEventSchema: TObject = Type.Object(
  {
    specversion: Type.Literal('1.0'),
    id: Type.String({ minLength: 1, description: 'With `source` it tells the event from all others.' }),
    source: Type.String({ minLength: 1, format: 'uri-reference' }),
    type: Type.String({ minLength: 1, maxLength: 1_024 }),
    subject: Type.Optional(Attribute),
    time: Type.Optional(Type.String({ format: 'date-time', description: 'The time of receipt when left out.' })),
    datacontenttype: Type.Optional(Attribute),
    dataschema: Type.Optional(Type.String({ minLength: 1, format: 'uri' })),
    data: Type.Optional(Type.Unknown({ description: 'Any JSON.' })),
    data_base64: Type.Optional(Type.String({ description: 'Bytes in Base64, in place of `data`.' })),
  },
  {
    additionalProperties: Type.Union([Type.String(), Type.Integer(), Type.Boolean()], {
      description: 'Extension attributes, named by lower-case letters and digits.',
    }),
    description: 'A CloudEvent, version 1.0.',
  },
)
