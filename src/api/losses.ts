/** `/millrace/losses`: the ledger of entries that a consumer group needed and that Redis lost. */
import { Type } from '@sinclair/typebox'
import { listLosses } from '#src/store/loss.ts'
import type { Store } from '#src/store/pool.ts'
import { cursorOf, readCursor } from './cursor.ts'
import type { Route } from './route.ts'

const Known = Type.Union([Type.Integer(), Type.Null()], { description: 'Null when not known.' })

const Query = Type.Object(
  {
    group: Type.Optional(Type.String()),
    partition: Type.Optional(Type.Integer({ minimum: 0, maximum: 32_767 })),
    limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
    after: Type.Optional(Type.String({ description: 'The `next` of the page before.' })),
  },
  { additionalProperties: false },
)

const Page = Type.Object({
  losses: Type.Array(
    Type.Object({
      id: Type.Integer(),
      group: Type.String(),
      partition: Type.Integer(),
      first: Type.String({ description: 'Position of the first lost entry, or the lowest it may have had: ms-seq.' }),
      last: Type.String({ description: 'Position of the last one, or the highest it may have had.' }),
      entries: Known,
      events: Known,
      cause: Type.String({ description: 'flushed, trimmed, missing or rolled_back.' }),
      detail: Type.String(),
      detectedAt: Type.String(),
    }),
  ),
  next: Type.Union([Type.String(), Type.Null()], { description: 'Cursor of the next page; null on the last one.' }),
})

export const losses: Route<{ readonly store: Store }> = (app, { store }) => {
  const schema = {
    tags: ['streams'],
    summary: 'What Redis lost, newest first',
    querystring: Query,
    response: { 200: Page },
  }
  app.get('/millrace/losses', { schema }, async ({ query: { after, limit, ...filter } }) => {
    const beforeId = readCursor(after, idOf)
    const found = await store.read((tx) => listLosses(tx, { ...filter, beforeId, limit: limit + 1 }))
    const last = found.length > limit ? found[limit - 1] : undefined
    return { losses: found.slice(0, limit), next: last ? cursorOf([last.id]) : null }
  })
}

function idOf(value: unknown): number | null {
  const [id] = Array.isArray(value) ? (value as unknown[]) : []
  return Number.isSafeInteger(id) ? (id as number) : null
}
