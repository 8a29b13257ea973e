/** First pages and totals of the log for every kind of filter, on 5 million events of 7 days (200,000 with --quick). */
import { criteriaOf, type EventFilter } from '#src/events/filter.ts'
import { makeDayPartitions } from '#src/store/day-partitions.ts'
import { countEvents, queryEvents } from '#src/store/event-query.ts'
import { migrate } from '#src/store/migrate.ts'
import { createStore } from '#src/store/pool.ts'
import { fillSample, flowRunId, sampleId } from '#test/store/event-query/sample.ts'
import { percentile, round, type Scenario } from '../scenario.ts'
import { startBenchServers } from '../servers.ts'

const DAY_MS = 86_400_000
const DAYS = 7
const DEPLOYMENT = 'prefect.deployment.33333333-0000-4000-8000-000000000007'
const CUSTOMER = 'customer.33333333-0000-4000-8000-000000000001'

const FILTERS: readonly (readonly [name: string, filter: EventFilter])[] = [
  ['none', {}],
  ['a common name', { event: { name: ['prefect.task-run.Completed'] } }],
  ['a rare name', { event: { name: ['order.disputed'] } }],
  ['a broad prefix of names', { event: { prefix: ['prefect.flow-run.'] } }],
  ['a name excluded', { event: { exclude_name: ['prefect.task-run.Completed'] } }],
  ['a resource', { resource: { id: [flowRunId(100_000)] } }],
  ['a prefix of resources', { resource: { id_prefix: [flowRunId(100_000).slice(0, -1)] } }],
  ['a rare label', { resource: { labels: { grade: 'gold' } } }],
  ['a common label', { resource: { labels: { 'prefect.state-name': 'Failed' } } }],
  ['a label with a wildcard', { resource: { labels: { 'prefect.resource.name': 'transform-1*' } } }],
  ['a label negated', { resource: { labels: { 'prefect.state-name': '!Completed' } } }],
  ['a busy related resource', { related: { id: [DEPLOYMENT], role: ['deployment'] } }],
  ['a rare related resource', { related: { id: [CUSTOMER] } }],
  ['any resource', { any_resource: { id: [flowRunId(100_000)] } }],
  ['an id', { id: { id: [sampleId(3)] } }],
  ['a frequent word', { text: { query: 'retry' } }],
  ['a word that is nowhere', { text: { query: 'unheard-of' } }],
]

export const queries: Scenario = {
  name: 'queries',
  title: 'first page of 50, and total, by kind of filter',
  async run({ quick, say }) {
    const events = quick ? 200_000 : 5_000_000
    const rounds = quick ? 3 : 9
    const servers = await startBenchServers()
    try {
      const { url } = servers.postgres
      await migrate(url, { timeoutMs: 0 })
      const store = await createStore({ url, timeoutMs: 10_000, connectTimeoutMs: 5_000, poolSize: 2 })
      const startMs = Math.floor(Date.now() / DAY_MS) * DAY_MS - DAYS * DAY_MS
      await makeDayPartitions(
        store.hot,
        Array.from({ length: DAYS }, (_, i) => startMs / DAY_MS + i),
      )
      await fillSample(store, { startMs, days: DAYS, events })
      say(`${events} events are there`)
      const rows = []
      const failures: string[] = []
      for (const [name, filter] of FILTERS) {
        const criteria = criteriaOf(filter)
        const pages: number[] = []
        const totals: number[] = []
        let found = 0
        for (let i = 0; i < rounds; i++) {
          const began = performance.now()
          const page = await queryEvents(store, { criteria, limit: 50 })
          pages.push(performance.now() - began)
          found = page.events.length
          const counting = performance.now()
          await countEvents(store, { criteria, atMost: 10_000, budgetMs: 500 })
          totals.push(performance.now() - counting)
        }
        rows.push({
          filter: name,
          'on the page': found,
          'page p50 ms': round(percentile(pages, 0.5), 1),
          'page worst ms': round(percentile(pages, 1), 1),
          'total p50 ms': round(percentile(totals, 0.5), 1),
        })
        if (found === 0 && !name.endsWith('nowhere')) failures.push(`${name}: the page is empty`)
      }
      await store.close()
      return { rows, failures }
    } finally {
      await servers.stop()
    }
  },
}
