/** What goes in and out at `/millrace/dead-letters`. */
import { type TSchema, Type } from '@sinclair/typebox'
import { parseInstant } from '#src/events/instant.ts'
import type { LetterFilter } from '#src/store/dead-letter/selection.ts'
import { RequestInvalid } from './validation.ts'

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const MAX_PARTITION = 32_767
const MAX_IDS = 1_000
/** Most letters that one call replays or discards. */
const MAX_CHANGED = 10_000

const filters = {
  group: Type.Optional(Type.String({ description: "The group that failed; 'ingest' for what never became an event." })),
  partition: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_PARTITION })),
  reason: Type.Optional(Type.String({ minLength: 1, description: 'A part of the reason, in any case.' })),
  event: Type.Optional(Type.String({ minLength: 1, description: "The event's whole name." })),
  since: Type.Optional(Type.String({ description: 'Seen last at this instant or later.' })),
  until: Type.Optional(Type.String({ description: 'Seen last before this instant.' })),
  requested: Type.Optional(Type.Boolean({ description: 'Whether a replay was asked for and has not been tried yet.' })),
}

// A filter that is misspelt must not let everything through: what is unknown is refused.
const strict = { additionalProperties: false }

export const Filter = Type.Object(filters, strict)
export const ListQuery = Type.Object(
  {
    ...filters,
    limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
    after: Type.Optional(Type.String({ description: 'The `next` of the page before.' })),
  },
  strict,
)
export const Params = Type.Object({ id: Type.String({ format: 'uuid' }) })
export const Change = Type.Object(
  {
    ids: Type.Optional(Type.Array(Type.String({ format: 'uuid' }), { minItems: 1, maxItems: MAX_IDS })),
    filter: Type.Optional(Filter),
    limit: Type.Integer({
      minimum: 1,
      maximum: MAX_CHANGED,
      default: 1_000,
      description: 'Most letters; oldest first.',
    }),
  },
  { ...strict, description: 'Either `ids` or `filter`; an empty filter is every letter.' },
)

const summary = {
  id: Type.String(),
  group: Type.String(),
  partition: Type.Integer(),
  position: Type.String({ description: 'Its entry in the stream: ms-seq.' }),
  index: Type.Integer({ description: 'Its place in that entry.' }),
  event: Nullable(Type.String({ description: 'Name of the event; null for what never became one.' })),
  orderingKey: Type.String({ description: 'What its order depends on; empty when nothing does.' }),
  reason: Type.String(),
  attempts: Type.Integer(),
  bytes: Type.Integer(),
  firstSeen: Type.String(),
  lastSeen: Type.String(),
  requestedAt: Nullable(Type.String({ description: 'When a replay was asked for that has not been tried yet.' })),
}

export const Page = Type.Object({
  letters: Type.Array(Type.Object(summary)),
  next: Nullable(Type.String({ description: 'Cursor of the next page; null on the last one.' })),
})
export const Detail = Type.Object({
  ...summary,
  body: Type.Object({
    encoding: Type.Union([Type.Literal('utf8'), Type.Literal('base64')]),
    text: Type.String({ description: 'The bytes as they were set aside.' }),
  }),
  envelope: Nullable(Type.Unknown({ description: 'The event, where it was one.' })),
})
export const Count = Type.Object({
  letters: Type.Integer(),
  requested: Type.Integer(),
  groups: Type.Array(Type.Object({ group: Type.String(), letters: Type.Integer(), requested: Type.Integer() })),
})
export const Replayed = Type.Object({
  requested: Type.Integer({ description: 'Letters that the owners of their groups will replay.' }),
  taken: Type.Integer({ description: 'Letters of `ingest` that are events in the log now, and gone from here.' }),
  refused: Type.Array(Type.Object({ id: Type.String(), reason: Type.String() }), {
    description: 'Letters of `ingest` that are still no events, and why.',
  }),
})
export const Discarded = Type.Object({ discarded: Type.Integer() })

/** A filter with its instants read. @throws RequestInvalid */
export function readFilter(filter: LetterFilter, part: 'query' | 'body'): LetterFilter {
  const instant = (name: 'since' | 'until') => {
    const text = filter[name]
    if (text === undefined) return {}
    const read = parseInstant(text)
    if (read !== null) return { [name]: read.iso }
    const loc = part === 'query' ? [part, name] : [part, 'filter', name]
    throw new RequestInvalid([{ type: 'invalid', loc, msg: 'must be an instant in ISO 8601', input: text }])
  }
  // NUL is in no text of Postgres, so nothing can match it; it must not become an error of ours.
  const texts = [filter.group, filter.reason, filter.event]
  if (texts.some((text) => text?.includes('\0')))
    throw new RequestInvalid([{ type: 'invalid', loc: [part], msg: 'no filter may hold a NUL character', input: null }])
  return { ...filter, ...instant('since'), ...instant('until') }
}
