import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { eventQueries } from '#src/api/event-queries.ts'
import type { Api } from '#src/api/route.ts'
import type { Store } from '#src/store/pool.ts'
import { logStore, makeDays, put } from '#test/store/event-query/log.ts'
import { randomEvent, randomOf } from '#test/store/event-query/random.ts'
import { testApi } from './test-api.ts'

const START_MS = Date.parse('2026-03-01T00:00:00Z')
const NOW = START_MS + 4 * 86_400_000

async function apiOf(t: TestContext, store: Store, publicUrl: string | null = null): Promise<Api> {
  return testApi(t, { resources: [(app) => eventQueries(app, { store, publicUrl, nowMs: () => NOW })] })
}

async function filledLog(t: TestContext, count: number) {
  const store = await logStore(t)
  await makeDays(store, START_MS, 3)
  const random = randomOf(11)
  const events = Array.from({ length: count }, () => randomEvent(random, START_MS))
  await put(store, events)
  return { store, events: events.sort((a, b) => (a.occurred < b.occurred ? 1 : -1)) }
}

const post = (app: Api, path: string, payload: object) =>
  app.inject({ method: 'POST', url: `/api/events/${path}`, payload })

test('pages follow their links to the end, newest first, and say how many there are', async (t) => {
  const { store, events } = await filledLog(t, 120)
  const app = await apiOf(t, store)
  const ids: string[] = []
  let answer = await post(app, 'filter', {})
  for (;;) {
    assert.equal(answer.statusCode, 200, answer.body)
    const page = answer.json()
    assert.equal(page.total, 120)
    ids.push(...page.events.map(({ id }: { id: string }) => id))
    if (page.next_page === null) break
    assert.match(page.next_page, /^http:\/\/localhost(:80)?\/api\/events\/filter\/next\?page-token=/)
    answer = await app.inject(page.next_page)
  }
  assert.deepEqual(
    ids,
    events.map(({ id }) => id),
  )
})

test('an event comes back in the envelope, its payload byte for byte', async (t) => {
  const { store, events } = await filledLog(t, 20)
  const app = await apiOf(t, store)
  const [event] = events
  assert.ok(event)
  const answer = await app.inject(`/api/events/${event.id}`)
  assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
  assert.ok(answer.body.includes(`"payload":${event.payload},`))
  const { received, ...rest } = answer.json()
  assert.deepEqual(rest, { ...event, payload: JSON.parse(event.payload), follows: null })
  assert.match(received, /Z$/)
  const page = (await post(app, 'filter', { filter: { id: { id: [event.id] } } })).json()
  assert.deepEqual(page, { events: [answer.json()], total: 1, next_page: null })
})

test('the link to the next page is under the public URL where there is one', async (t) => {
  const { store } = await filledLog(t, 5)
  const app = await apiOf(t, store, 'https://events.example.com/millrace/')
  const { next_page } = (await post(app, 'filter', { filter: null, limit: 2 })).json()
  assert.match(next_page, /^https:\/\/events\.example\.com\/millrace\/api\/events\/filter\/next\?page-token=[\w-]+$/)
})

test('no events are wanted, the total is', async (t) => {
  const { store } = await filledLog(t, 5)
  const answer = await post(await apiOf(t, store), 'filter', { limit: 0 })
  assert.deepEqual(answer.json(), { events: [], total: 5, next_page: null })
})

test('what is wrong is refused with Prefect’s statuses and bodies', async (t) => {
  const store = await logStore(t)
  const app = await apiOf(t, store)
  const detail = async (request: ReturnType<typeof post>, status: number, pattern: RegExp) => {
    const answer = await request
    assert.equal(answer.statusCode, status, answer.body)
    assert.match(answer.json().detail, pattern)
  }
  await detail(app.inject('/api/events/0198c1f2-0000-7000-8000-000000000001'), 404, /no event/)
  await detail(app.inject('/api/events/filter/next?page-token=eyJhIjoxfQ=='), 403, /page token/)
  await detail(post(app, 'count-by/time', { filter: {}, time_unit: 'hour' }), 422, /too many/)
  const invalid = async (request: ReturnType<typeof post>) => {
    const answer = await request
    assert.equal(answer.statusCode, 422, answer.body)
    assert.equal(answer.json().exception_message, 'Invalid request received.')
  }
  await invalid(post(app, 'filter', { limit: 51 }))
  await invalid(post(app, 'filter', { filter: { occurred: { since: 'soon' } } }))
  await invalid(post(app, 'filter', { filter: { text: { query: 'x'.repeat(201) } } }))
  await invalid(post(app, 'count-by/colour', { filter: {} }))
  await invalid(post(app, 'count-by/time', { filter: {}, time_interval: 0.001 }))
  await invalid(post(app, 'count-by/day', {}))
  await invalid(app.inject('/api/events/filter/next'))
  await invalid(app.inject('/api/events/not-an-id'))
})

test('what Prefect’s client sends is taken: nulls, unknown keys, ranges up to next year', async (t) => {
  const { store, events } = await filledLog(t, 10)
  const app = await apiOf(t, store)
  const filter = {
    occurred: { since: '2026-03-01 00:00:00+00:00', until: '2027-03-01T00:00:00Z' },
    event: null,
    resource: null,
    related: null,
    any_resource: null,
    id: { id: [] },
    text: null,
    order: 'ASC',
    unheard_of: true,
  }
  const page = (await post(app, 'filter', { filter, limit: 10, more: 1 })).json()
  assert.deepEqual(
    page.events.map(({ id }: { id: string }) => id),
    events.map(({ id }) => id).reverse(),
  )
})

test('events are counted by day, by name and by resource', async (t) => {
  const { store, events } = await filledLog(t, 40)
  const app = await apiOf(t, store)
  const counts = async (by: string) => {
    const answer = await post(app, `count-by/${by}`, { filter: { occurred: { since: '2026-03-01T00:00:00Z' } } })
    assert.equal(answer.statusCode, 200, answer.body)
    return answer.json().map(({ value, count }: { value: string; count: number }) => [value, count] as const)
  }
  const of = (values: string[]) => new Map(values.map((value) => [value, values.filter((v) => v === value).length]))
  assert.deepEqual(new Map(await counts('event')), of(events.map(({ event }) => event)))
  assert.deepEqual(
    new Map(await counts('resource')),
    of(events.map(({ resource }) => `${resource['prefect.resource.id']}`)),
  )
  const days = await counts('day')
  assert.deepEqual(
    days.map(([value]: [string]) => value),
    ['0', '1', '2', '3'],
  )
  assert.equal(
    days.reduce((sum: number, [, count]: [string, number]) => sum + count, 0),
    40,
  )
})
