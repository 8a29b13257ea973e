import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Criteria, compileFilter, criteriaOf, parseFilter } from '#src/events/filter.ts'
import { countEvents, findEvent, type Key, type PageQuery, queryEvents } from '#src/store/event-query.ts'
import type { Store } from '#src/store/pool.ts'
import { logStore, makeDays, put } from './log.ts'
import { type RandomEvent, randomEvent, randomFilter, randomOf } from './random.ts'

const START_MS = Date.parse('2026-03-01T00:00:00Z')
const DAY_MS = 86_400_000
const FILTERS = Number(process.env['FILTERS'] ?? 40)

test('pages of any filter give each of its events once, in order, and so does the count', async (t) => {
  const store = await logStore(t)
  // The third day has no partition of its own: its events are in the default one, between and beyond the others.
  await makeDays(store, START_MS, 2)
  await makeDays(store, START_MS + 3 * DAY_MS, 1)
  const seed = Number(process.env['SEED'] ?? 1)
  const random = randomOf(seed)
  const events = Array.from({ length: 400 }, () => randomEvent(random, START_MS + random.below(3) * DAY_MS))
  await put(store, events)
  for (let i = 0; i < FILTERS; i++) {
    const filter = parseFilter(randomFilter(random, events))
    const criteria = { ...criteriaOf(filter), distinct: random.chance(0.3) }
    const about = `seed ${seed}, filter ${i}: ${JSON.stringify({ ...filter, distinct: criteria.distinct })}`
    const expected = expectedOf(events, criteria)
    const limit = random.pick([1, 7, 50])
    const pace = { firstRows: random.pick([3, 50, 1_000]), budgetMs: random.pick([0, 10_000]) }
    assert.deepEqual(
      await allPages(store, { criteria, limit: limit === 1 && expected.length > 20 ? 7 : limit, ...pace }),
      expected,
      about,
    )
    const { count, exact } = await countEvents(store, { criteria, atMost: 100, budgetMs: 10_000 })
    assert.deepEqual({ count, exact }, { count: Math.min(100, expected.length), exact: expected.length <= 100 }, about)
  }
})

test('an event that comes in while pages are read neither repeats nor hides another', async (t) => {
  const store = await logStore(t)
  const random = randomOf(5)
  const events = Array.from({ length: 30 }, () => randomEvent(random, START_MS))
  await put(store, events)
  const criteria = criteriaOf({})
  const first = await queryEvents(store, { criteria, limit: 10 })
  await put(
    store,
    Array.from({ length: 20 }, () => randomEvent(random, START_MS + 10 * DAY_MS)),
  )
  const rest = await allPages(store, { criteria, limit: 10 }, first.next)
  assert.deepEqual([...first.events.map(({ id }) => id), ...rest], expectedOf(events, criteria))
})

test('an event is found by its id whatever its time, with its JSON as it came', async (t) => {
  const store = await logStore(t)
  await makeDays(store, START_MS, 1)
  const random = randomOf(3)
  const events = Array.from({ length: 10 }, () => randomEvent(random, START_MS))
  await put(store, events)
  for (const { id, occurred, event, resource, related, payload } of events) {
    const found = await findEvent(store, id.toUpperCase())
    assert.deepEqual(found, {
      ...{ id, occurred, event, payload, follows: null, resourceId: resource['prefect.resource.id'] },
      ...{ resource: JSON.stringify(resource), related: JSON.stringify(related), received: found?.received },
    })
    assert.match(found?.received ?? '', /^2026-03-0\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  }
  assert.equal(await findEvent(store, '00000000-0000-4000-8000-000000000000'), null)
})

/** What the log should say, in memory. */
function expectedOf(events: readonly RandomEvent[], criteria: Criteria): string[] {
  const key = ({ occurred, id }: RandomEvent) => occurred + id
  const sorted = events.filter(compileFilter(criteria)).sort((a, b) => (key(a) < key(b) ? -1 : 1))
  if (criteria.order === 'DESC') sorted.reverse()
  const seen = new Set<string | undefined>()
  return sorted
    .filter(({ resource: { 'prefect.resource.id': id } }) => !criteria.distinct || (!seen.has(id) && seen.add(id)))
    .map(({ id }) => id)
}

async function allPages(store: Store, query: PageQuery, from: Key | null = null): Promise<string[]> {
  const ids: string[] = []
  let after = from
  do {
    const page = await queryEvents(store, { ...query, after })
    assert.ok(page.events.length <= query.limit)
    ids.push(...page.events.map(({ id }) => id))
    after = page.next
  } while (after !== null)
  return ids
}
