/** Questions to the event log, in the shapes of Prefect's API. What each costs: docs/event-queries.md. */
import { type Static, Type } from '@sinclair/typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { NotFound } from '../errors.ts'
import { type Criteria, criteriaOf, EventFilter, withDefaultRange } from '../events/filter.ts'
import { eventJson } from '../events/record.ts'
import {
  countByEvent,
  countByResource,
  countByTime,
  countEvents,
  findEvent,
  type Page,
  queryEvents,
  type RangedCriteria,
  TIME_UNITS,
} from '../store/event-query.ts'
import type { Store } from '../store/pool.ts'
import { openPageToken, type PageToken, pageTokenKey, signPageToken } from './page-token.ts'
import type { Api } from './route.ts'

export interface EventQueryNeeds {
  readonly store: Store
  /** URL under which clients reach the server; null takes it from each request. */
  readonly publicUrl: string | null
  nowMs(): number
}

const MAX_LIMIT = 50
/** How far the total is counted, and for about how long beside the page itself. */
const MAX_TOTAL = 10_000
const TOTAL_BUDGET_MS = 500

const Labels = Type.Record(Type.String(), Type.String())
const ReceivedEvent = Type.Object({
  occurred: Type.String({ format: 'date-time' }),
  event: Type.String(),
  resource: Labels,
  related: Type.Array(Labels),
  payload: Type.Record(Type.String(), Type.Unknown()),
  id: Type.String({ format: 'uuid' }),
  follows: Type.Union([Type.String({ format: 'uuid' }), Type.Null()]),
  received: Type.String({ format: 'date-time' }),
})
const EventPage = Type.Object({
  events: Type.Array(ReceivedEvent),
  total: Type.Integer({
    description: 'Events that match; above 10,000, or where counting takes long, at least so many.',
  }),
  next_page: Type.Union([Type.String(), Type.Null()], {
    description: 'URL of the next page, null at the end. A page may be short of `limit`, even empty, and have a next.',
  }),
})
const ValueCount = Type.Object({
  value: Type.String(),
  label: Type.String(),
  count: Type.Integer(),
  start_time: Type.String(),
  end_time: Type.String(),
})

const FilterBody = Type.Object({
  filter: Type.Optional(Type.Union([EventFilter, Type.Null()])),
  limit: Type.Integer({ minimum: 0, maximum: MAX_LIMIT, default: MAX_LIMIT }),
})
const NextQuery = Type.Object({ 'page-token': Type.String() })
const EventParams = Type.Object({ id: Type.String({ format: 'uuid' }) })
const CountParams = Type.Object({
  countable: Type.Union((['day', 'time', 'event', 'resource'] as const).map((by) => Type.Literal(by))),
})
const CountBody = Type.Object({
  filter: EventFilter,
  time_unit: Type.Union(
    TIME_UNITS.map((unit) => Type.Literal(unit)),
    { default: 'day' },
  ),
  time_interval: Type.Number({ minimum: 0.01, default: 1 }),
})

/** `/events/filter`, `/events/filter/next`, `/events/count-by/…` and `/events/{id}`. */
export async function eventQueries(app: Api, { store, publicUrl, nowMs }: EventQueryNeeds): Promise<void> {
  const tokenKey = remembered(() => pageTokenKey(store))

  app.post('/events/filter', { schema: { body: FilterBody, response: { 200: EventPage } } }, async (request, reply) => {
    const { limit } = request.body
    const filter = withDefaultRange(request.body.filter ?? {}, nowMs())
    const criteria = criteriaOf(filter)
    const none: Page = { events: [], next: null, outOfTime: false }
    const page = limit === 0 ? none : await queryEvents(store, { criteria, limit })
    const total = await totalOf(store, criteria, page, limit)
    return sendPage(request, reply, page, { filter, limit, total })
  })

  app.get(
    '/events/filter/next',
    { schema: { querystring: NextQuery, response: { 200: EventPage } } },
    async (request, reply) => {
      const token = openPageToken(request.query['page-token'], await tokenKey())
      const page = await queryEvents(store, { ...token, criteria: criteriaOf(token.filter) })
      return sendPage(request, reply, page, token)
    },
  )

  app.post(
    '/events/count-by/:countable',
    { schema: { params: CountParams, body: CountBody, response: { 200: Type.Array(ValueCount) } } },
    ({ params, body }) => countBy(store, params.countable, body, nowMs()),
  )

  app.get(
    '/events/:id',
    { schema: { params: EventParams, response: { 200: ReceivedEvent } } },
    async ({ params }, reply) => {
      const event = await findEvent(store, params.id)
      if (event === null) throw new NotFound(`There is no event ${params.id} in the log.`)
      return sendJson(reply, eventJson(event, event.received))
    },
  )

  /** Events are JSON text already: they are joined, not parsed and written again. */
  async function sendPage(
    request: FastifyRequest,
    reply: FastifyReply,
    page: Page,
    question: Omit<PageToken, 'after'>,
  ) {
    const { filter, limit, total } = question
    const url =
      page.next && linkTo(request, signPageToken({ filter, limit, total, after: page.next }, await tokenKey()))
    const events = page.events.map((event) => eventJson(event, event.received)).join(',')
    const text = `{"events":[${events}],"total":${total},"next_page":${JSON.stringify(url)}}`
    return sendJson(reply, text)
  }

  function linkTo(request: FastifyRequest, token: string): string {
    const origin = publicUrl?.replace(/\/+$/, '') ?? `${request.protocol}://${request.host}`
    return `${origin}${app.prefix}/events/filter/next?page-token=${token}`
  }
}

/** What a whole page, or an unfinished search, says of the total is enough; else it is counted apart. */
async function totalOf(store: Store, criteria: Criteria, page: Page, limit: number): Promise<number> {
  if (page.outOfTime || (page.next === null && limit > 0)) return page.events.length
  const { count } = await countEvents(store, { criteria, atMost: MAX_TOTAL, budgetMs: TOTAL_BUDGET_MS })
  return Math.max(count, page.events.length)
}

async function countBy(
  store: Store,
  by: Static<typeof CountParams>['countable'],
  body: Static<typeof CountBody>,
  nowMs: number,
) {
  const criteria = criteriaOf(withDefaultRange(body.filter, nowMs)) as RangedCriteria // the default range has both ends
  if (by === 'event') return countByEvent(store, criteria)
  if (by === 'resource') return countByResource(store, criteria)
  const interval =
    by === 'day' ? ({ unit: 'day', count: 1 } as const) : { unit: body.time_unit, count: body.time_interval }
  return countByTime(store, criteria, interval, nowMs)
}

/** The schema of the answer describes it; nothing is serialised any more. */
function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(text)
}

/** Asks once, and again only after a failure. */
function remembered<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined
  return () => {
    answer ??= ask().catch((error: unknown) => {
      answer = undefined
      throw error
    })
    return answer
  }
}
