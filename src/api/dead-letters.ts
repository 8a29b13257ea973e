/** `/millrace/dead-letters`: what could not be taken or applied; to look at, to replay, to discard. */
import { isUtf8 } from 'node:buffer'
import type { Static } from '@sinclair/typebox'
import { instantOfMs } from '#src/events/instant.ts'
import { decodeRecord, eventJson } from '#src/events/record.ts'
import type { Log } from '#src/log.ts'
import { discardLetters, requestReplay } from '#src/store/dead-letter/decide.ts'
import { countLetters, findLetter, type Letter, type LetterPlace, listLetters } from '#src/store/dead-letter/list.ts'
import type { Selection } from '#src/store/dead-letter/selection.ts'
import { INGEST } from '#src/store/dead-letter.ts'
import { NotFound } from '../errors.ts'
import { cursorOf, readCursor } from './cursor.ts'
import {
  Change,
  Count,
  Detail,
  Discarded,
  Filter,
  ListQuery,
  Page,
  Params,
  Replayed,
  readFilter,
} from './dead-letter-schemas.ts'
import { type IngestReplayNeeds, replayIngest } from './ingest-replay.ts'
import type { Route } from './route.ts'
import { RequestInvalid } from './validation.ts'

const PATH = '/millrace/dead-letters'
const tags = ['dead letters']

export const deadLetters: Route<IngestReplayNeeds & { readonly log: Log }> = (app, needs) => {
  const { store, log } = needs

  app.get(
    PATH,
    {
      schema: {
        tags,
        summary: 'Dead letters, the one seen last first',
        querystring: ListQuery,
        response: { 200: Page },
      },
    },
    async ({ query: { limit, after, ...filter } }) => {
      const place = readCursor(after, placeOf)
      const letters = await store.read((tx) =>
        listLetters(tx, readFilter(filter, 'query'), { limit: limit + 1, after: place }),
      )
      const last = letters.length > limit ? letters[limit - 1] : undefined
      return { letters: letters.slice(0, limit), next: last ? cursorOf([last.lastSeen, last.id]) : null }
    },
  )

  app.get(
    `${PATH}/count`,
    { schema: { tags, summary: 'How many there are, by group', querystring: Filter, response: { 200: Count } } },
    async ({ query }) => {
      const groups = await store.read((tx) => countLetters(tx, readFilter(query, 'query')))
      const sum = (of: 'letters' | 'requested') => groups.reduce((total, group) => total + group[of], 0)
      return { letters: sum('letters'), requested: sum('requested'), groups: [...groups] }
    },
  )

  app.get(
    `${PATH}/:id`,
    { schema: { tags, summary: 'One letter with its body', params: Params, response: { 200: Detail } } },
    async ({ params: { id } }) => {
      const letter = await store.read((tx) => findLetter(tx, id))
      if (letter === null) throw new NotFound(`There is no dead letter ${id}: it was replayed, or discarded.`)
      return detailOf(letter)
    },
  )

  app.post(
    `${PATH}/replay`,
    {
      schema: {
        tags,
        summary: 'Replay letters',
        description:
          'Letters of a consumer group are handed to it again by the owner of their partition, in order. Those of `ingest` are taken in now.',
        body: Change,
        response: { 200: Replayed },
      },
    },
    async ({ body }) => {
      const selection = selectionOf(body)
      const { taken, refused } = await replayIngest(needs, selection, body.limit)
      const left = body.limit - taken - refused.length
      const requested = left > 0 ? await requestReplay(store.queries, selection, left) : 0
      log.info({ ...selection, requested, taken, refused: refused.length }, 'a replay of dead letters was asked for')
      return { requested, taken, refused: [...refused] }
    },
  )

  app.post(
    `${PATH}/discard`,
    { schema: { tags, summary: 'Discard letters for good', body: Change, response: { 200: Discarded } } },
    async ({ body }) => {
      const selection = selectionOf(body)
      const discarded = await discardLetters(store.queries, selection, body.limit)
      log.warn({ ...selection, discarded }, 'dead letters were discarded')
      return { discarded }
    },
  )
}

function selectionOf({ ids, filter }: Static<typeof Change>): Selection {
  if (ids !== undefined && filter === undefined) return { ids }
  if (filter !== undefined && ids === undefined) return { filter: readFilter(filter, 'body') }
  const msg = 'give either ids or a filter; an empty filter is every letter'
  throw new RequestInvalid([{ type: 'invalid', loc: ['body'], msg, input: null }])
}

const UUID = /^[0-9a-f-]{36}$/

function placeOf(value: unknown): LetterPlace | null {
  const [lastSeen, id] = Array.isArray(value) ? (value as unknown[]) : []
  if (typeof lastSeen !== 'string' || typeof id !== 'string') return null
  return UUID.test(id) && !Number.isNaN(Date.parse(lastSeen)) ? { lastSeen, id } : null
}

function detailOf({ body, ms, ...letter }: Letter): Static<typeof Detail> {
  const text = isUtf8(body)
  return {
    ...letter,
    body: { encoding: text ? 'utf8' : 'base64', text: body.toString(text ? 'utf8' : 'base64') },
    envelope: letter.group === INGEST ? null : envelopeOf(body, ms),
  }
}

/** The event, as received at its entry's time: when the server took it is not kept. Null when the bytes are no record. */
function envelopeOf(body: Buffer, ms: number): unknown {
  try {
    return JSON.parse(eventJson(decodeRecord(body), instantOfMs(ms).iso))
  } catch {
    return null
  }
}
