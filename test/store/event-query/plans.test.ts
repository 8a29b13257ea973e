import assert from 'node:assert/strict'
import { test } from 'node:test'
import { criteriaOf, type EventFilter } from '#src/events/filter.ts'
import { type BackfillPage, type GapPage, readBackfill, readGap } from '#src/store/event-backfill.ts'
import { countEvents, queryEvents } from '#src/store/event-query.ts'
import { explaining, type Plan } from './explaining.ts'
import { logStore, makeDays } from './log.ts'
import { fillSample, flowRunId, sampleId } from './sample.ts'

const START_MS = Date.parse('2026-03-01T00:00:00Z')
const EVENTS = 200_000 // 66,667 a day
const DAYS = ['event_20260301', 'event_20260302', 'event_20260303']
const DEPLOYMENT = 'prefect.deployment.33333333-0000-4000-8000-000000000007'
const CUSTOMER = 'customer.33333333-0000-4000-8000-000000000001'

/** What a first page may cost: events on it, rows taken out of tables in all, and days read. */
type Case = readonly [name: string, filter: EventFilter, events: number, mostRows: number, days: number]

const CASES: readonly Case[] = [
  ['nothing', {}, 50, 60, 1],
  ['nothing, oldest first', { order: 'ASC' }, 50, 60, 1],
  ['a common name', { event: { name: ['prefect.task-run.Completed'] } }, 50, 60, 1],
  ['a rare name', { event: { name: ['order.disputed'] } }, 5, 20, 3],
  ['a name that is not there', { event: { name: ['order.lost'] } }, 0, 0, 0],
  ['several names', { event: { name: ['order.disputed', 'prefect.flow-run.Failed', 'order.lost'] } }, 50, 70, 1],
  ['a broad prefix of names', { event: { prefix: ['prefect.flow-run.'] } }, 50, 100, 1],
  ['a prefix of rare names', { event: { prefix: ['order.'] } }, 5, 40, 3],
  ['an excluded name', { event: { exclude_name: ['prefect.task-run.Completed'] } }, 50, 1_100, 1],
  ['a resource', { resource: { id: [flowRunId(100_000)] } }, 5, 20, 1],
  ['a prefix of few resources', { resource: { id_prefix: [flowRunId(100_000)] } }, 5, 2_200, 3],
  ['distinct resources', { resource: { id_prefix: ['prefect.flow-run.'], distinct: true } }, 50, 60_000, 1],
  ['a rare label', { resource: { labels: { grade: 'gold' } } }, 4, 2_200, 3],
  ['a label of one event', { resource: { labels: { 'prefect.state-message': 'run 2500 step 50007' } } }, 1, 2_200, 3],
  ['a common label', { resource: { labels: { 'prefect.state-name': 'Failed' } } }, 50, 2_200, 1],
  ['a related resource', { related: { id: [DEPLOYMENT] } }, 50, 4_000, 1],
  ['a rare related resource', { related: { id: [CUSTOMER] } }, 40, 2_200, 3],
  ['a rare role', { related: { role: ['customer'] } }, 40, 2_200, 3],
  ['a resource in a role', { related: { resources_in_roles: [[CUSTOMER, 'customer']] } }, 40, 2_200, 3],
  ['a label of a related resource', { related: { labels: { 'prefect.resource.name': 'First' } } }, 40, 2_200, 3],
  ['two related resources', { related: [{ id: [DEPLOYMENT] }, { id: [CUSTOMER] }] }, 0, 2_200, 3],
  ['any resource', { any_resource: { id: [flowRunId(100_000)] } }, 20, 2_200, 3],
  ['an own and a related label', { any_resource: { labels: { grade: ['gold', 'silver'] } } }, 4, 2_200, 3],
  [
    'a name of a related resource’s events',
    { event: { name: ['order.disputed'] }, related: { id: [DEPLOYMENT] } },
    0,
    2_000,
    3,
  ],
  ['an id', { id: { id: [sampleId(3)] } }, 1, 4, 1],
]

/** Filters without an index: each statement is bounded, whatever it finds. */
const WALKS: readonly (readonly [name: string, filter: EventFilter])[] = [
  ['text that is nowhere', { text: { query: 'unheard-of' } }],
  ['excluding nearly all', { event: { exclude_prefix: ['prefect.'] } }],
  ['a wildcard that nothing fits', { resource: { labels: { 'prefect.state-message': 'walk*' } } }],
  ['a negation of nearly all', { resource: { labels: { 'prefect.resource.id': '!prefect*' } } }],
  ['a prefix of any resource', { any_resource: { id_prefix: ['customer.'] } }],
]
const MOST_ROWS_A_STATEMENT = 50_000
const DAY = { since: '2026-03-02T00:00:00Z', until: '2026-03-02T23:59:59.999999Z' }

test('plans on 200,000 events of three days', async (t) => {
  const store = await logStore(t)
  await makeDays(store, START_MS, 5)
  await fillSample(store, { startMs: START_MS, days: 3, events: EVENTS })

  for (const [name, filter, events, mostRows, days] of CASES) {
    await t.test(`${name}: by index, few rows, no day too many`, async () => {
      const seen = explaining(store)
      const page = await queryEvents(seen.store, { criteria: criteriaOf(filter), limit: 50 })
      const about = JSON.stringify(seen.plans, null, 1)
      assert.equal(page.events.length, events)
      assert.ok(!seen.plans.some(({ scans }) => scans.includes('Seq Scan')), about)
      const rows = seen.plans.reduce((sum, plan) => sum + plan.rows, 0)
      assert.ok(rows <= mostRows, `${rows} rows; ${about}`)
      const filled = new Set(seen.plans.flatMap((plan) => plan.filled))
      assert.ok(filled.size <= days, `${[...filled]}; ${about}`)
    })
  }

  for (const [name, filter] of WALKS) {
    await t.test(`${name}: no statement takes more rows than a window has`, async () => {
      const seen = explaining(store)
      const page = await queryEvents(seen.store, {
        criteria: criteriaOf({ ...filter, occurred: DAY }),
        limit: 50,
        budgetMs: 30_000,
      })
      assert.equal(page.next, null, 'the end of the range was reached')
      assert.ok(!seen.plans.some(({ scans }) => scans.includes('Seq Scan')), JSON.stringify(seen.plans, null, 1))
      const most = Math.max(...seen.plans.map(({ rows }) => rows))
      assert.ok(most <= MOST_ROWS_A_STATEMENT, `${most} rows`)
    })
  }

  await t.test('a range of time keeps the other days out of every plan', async () => {
    const occurred = { since: '2026-03-02T03:00:00Z', until: '2026-03-02T04:00:00Z' }
    for (const [, filter] of [...CASES, ...WALKS]) {
      const seen = explaining(store)
      const criteria = criteriaOf({ ...filter, occurred })
      await queryEvents(seen.store, { criteria, limit: 50, budgetMs: 30_000 })
      await countEvents(seen.store, { criteria, atMost: 10_000, budgetMs: 30_000 })
      for (const { tables } of seen.plans) assert.deepEqual(tables, [DAYS[1]], JSON.stringify(filter))
    }
  })

  await t.test(
    'a live reader’s backfill takes no more rows at once than a window has, whatever it asks for',
    async () => {
      const through = Array.from({ length: 8 }, () => ({ ms: Number.MAX_SAFE_INTEGER, seq: 0 }))
      for (const [name, filter] of [...CASES, ...WALKS]) {
        const seen = explaining(store)
        const criteria = criteriaOf({
          ...filter,
          occurred: { since: '2026-03-01T00:00:00Z', until: '2026-03-04T00:00:00Z' },
        })
        let page: BackfillPage | null = { criteria, through, after: null, limit: 250 }
        for (let pages = 0; page !== null && pages < 3; pages++) {
          const { next }: Awaited<ReturnType<typeof readBackfill>> = await readBackfill(seen.store, page)
          page = next && { ...page, after: next }
        }
        assertBounded(name, seen.plans)
      }
    },
  )

  await t.test('what fills a live reader’s gap is read by position, a window at a time', async () => {
    for (const [name, filter] of [...CASES, ...WALKS]) {
      const seen = explaining(store)
      const through = { ms: Number.MAX_SAFE_INTEGER, seq: 0 }
      const after = { ms: 0, seq: 0, index: 0 }
      let page: GapPage | null = { criteria: criteriaOf(filter), partition: 0, after, through, limit: 250 }
      for (let pages = 0; page !== null && pages < 3; pages++) {
        const { next }: Awaited<ReturnType<typeof readGap>> = await readGap(seen.store, page)
        page = next && { ...page, after: next }
      }
      assertBounded(name, seen.plans, 10_000)
    }
  })

  await t.test(
    'without statistics, as on a day whose first minute is being written, ordered plans are the same',
    async () => {
      await store.hot.query('delete from pg_statistic where starelid = any($1::regclass[])', [DAYS])
      for (const [name, filter, events, mostRows] of CASES) {
        const seen = explaining(store)
        const page = await queryEvents(seen.store, { criteria: criteriaOf(filter), limit: 50 })
        assert.equal(page.events.length, events, name)
        assert.ok(!seen.plans.some(({ scans }) => scans.includes('Seq Scan')), name)
        // Between the index on time and that on terms Postgres chooses blindly then; time alone bounds what that costs.
        if (asksForTerms(filter)) continue
        const rows = seen.plans.reduce((sum, plan) => sum + plan.rows, 0)
        assert.ok(rows <= mostRows, `${name}: ${rows} rows`)
      }
    },
  )
})

function assertBounded(name: string, plans: readonly Plan[], mostRows = MOST_ROWS_A_STATEMENT): void {
  for (const plan of plans) {
    assert.ok(!plan.scans.includes('Seq Scan'), `${name}: ${JSON.stringify(plan, null, 1)}`)
    assert.ok(plan.rows <= mostRows, `${name}: ${JSON.stringify(plan, null, 1)}`)
  }
}

function asksForTerms({ resource, related, any_resource }: EventFilter): boolean {
  return Boolean(resource?.labels ?? related ?? any_resource)
}
