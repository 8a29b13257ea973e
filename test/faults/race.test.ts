/** Several take one run at the same moment, of two API servers: one wins each time, and the run has one history. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Cluster, startCluster } from './harness/cluster.ts'

/** The long form takes some minutes. */
const RACES = process.env['MILLRACE_FAULTS_LONG'] === '1' ? 10_000 : 50
const RUNNERS_OF_EACH = 2

test('of servers that take one run at the same moment one wins, each time, and its history has no forks', async (t) => {
  const cluster = await startCluster(t, { apis: 2, settings: { MILLRACE_SERVER_RATE_LIMIT: '0' } })
  const urls = cluster.apis.map(({ url }) => url)
  const { id: flow_id } = await call(urls[0], '/flows/', { name: 'raced' })
  const { id } = await call(urls[1], '/flow_runs/', { flow_id, state: { type: 'SCHEDULED' } })
  const take = { state: { type: 'PENDING' } }
  const taken = new Map(urls.map((url) => [url, 0]))
  for (let race = 0; race < RACES; race++) {
    const runners = urls.flatMap((url) => Array.from({ length: RUNNERS_OF_EACH }, () => url))
    const told = await Promise.all(runners.map((url) => call(url, `/flow_runs/${id}/set_state`, take)))
    const statuses = told.map(({ status }) => status)
    assert.deepEqual(statuses.toSorted(), [...Array(runners.length - 1).fill('ABORT'), 'ACCEPT'], `race ${race}`)
    const winner = runners[statuses.indexOf('ACCEPT')] as string
    taken.set(winner, (taken.get(winner) ?? 0) + 1)
    await call(urls[race % 2], `/flow_runs/${id}/set_state`, { state: { type: 'SCHEDULED' }, force: true })
  }
  for (const [url, count] of taken) assert.ok(count > 0, `${url} never won, so nothing was raced for`)

  const history = await historyOf(cluster, id as string)
  assert.deepEqual(
    history.map(({ version }) => version),
    Array.from({ length: 1 + 2 * RACES }, (_, i) => i + 1),
    'each event follows the one before',
  )
  history.slice(1).forEach(({ follows }, i) => {
    assert.equal(follows, history[i]?.id, `event ${i + 2} says what it follows`)
  })
})

async function call(url: string | undefined, path: string, body: object): Promise<Record<string, string>> {
  const response = await fetch(`${url}/api${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  assert.ok(response.ok, `${path}: ${response.status} ${await response.clone().text()}`)
  return (await response.json()) as Record<string, string>
}

/** What the log has of a run, in the order in which it was appended. */
function historyOf({ query }: Cluster, id: string) {
  return query<{ id: string; follows: string | null; version: number }>(
    `select id, follows, (payload->'flow_run'->>'version')::int4 as version from event
     where resource_id = $1 order by entry_ms, entry_seq, entry_index`,
    [`prefect.flow-run.${id}`],
  )
}
