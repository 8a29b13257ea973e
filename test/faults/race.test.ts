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

  await t.test('a flow run', async () => {
    const again = { state: { type: 'SCHEDULED' }, force: true }
    await race(urls, `/flow_runs/${id}`, { state: { type: 'PENDING' } }, again, 'ABORT')
    const history = await historyOf(cluster, `prefect.flow-run.${id}`)
    assertOneAfterAnother(history)
    assert.deepEqual(
      history.map(({ version }) => version),
      Array.from({ length: 1 + 2 * RACES }, (_, i) => i + 1),
      'each event follows the one before',
    )
  })

  await t.test('a task run, of which clients might tell as well', async () => {
    const { id: flow_run_id } = await call(urls[0], '/flow_runs/', { flow_id, state: { type: 'RUNNING' } })
    const made = { flow_run_id, task_key: 'raced', dynamic_key: '0', state: { type: 'RUNNING' } }
    const { id } = await call(urls[1], '/task_runs/', made)
    const done = { state: { type: 'COMPLETED', data: { storage_key: 'of the one who did it' } } }
    await race(urls, `/task_runs/${id}`, done, { state: { type: 'RUNNING' }, force: true }, 'REJECT')
    const history = await historyOf(cluster, `prefect.task-run.${id}`)
    assert.equal(history.length, 1 + 2 * RACES)
    assertOneAfterAnother(history)
  })
})

/** Several ask for a state that one of them can be given; then it is set back by force. */
async function race(urls: readonly string[], path: string, wish: object, back: object, lost: string): Promise<void> {
  const what = path.startsWith('/task') ? 'task run' : 'flow run'
  const won = new Map(urls.map((url) => [url, 0]))
  for (let race = 0; race < RACES; race++) {
    const runners = urls.flatMap((url) => Array.from({ length: RUNNERS_OF_EACH }, () => url))
    const told = await Promise.all(runners.map((url) => call(url, `${path}/set_state`, wish)))
    const statuses = told.map(({ status }) => status)
    const oneWon = ['ACCEPT', ...Array<string>(runners.length - 1).fill(lost)]
    assert.deepEqual(statuses.toSorted(), oneWon.toSorted(), `${what}, race ${race}`)
    const winner = runners[statuses.indexOf('ACCEPT')] as string
    won.set(winner, (won.get(winner) ?? 0) + 1)
    await call(urls[race % urls.length], `${path}/set_state`, back)
  }
  for (const [url, count] of won) assert.ok(count > 0, `${url} never won, so nothing was raced for`)
}

function assertOneAfterAnother(history: readonly { readonly id: string; readonly follows: string | null }[]): void {
  history.slice(1).forEach(({ follows }, i) => {
    assert.equal(follows, history[i]?.id, `event ${i + 2} says what it follows`)
  })
}

async function call(url: string | undefined, path: string, body: object): Promise<Record<string, string>> {
  const response = await fetch(`${url}/api${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  assert.ok(response.ok, `${path}: ${response.status} ${await response.clone().text()}`)
  return (await response.json()) as Record<string, string>
}

/** What the log has of a resource, in the order in which it was appended. */
function historyOf({ query }: Cluster, resourceId: string) {
  return query<{ id: string; follows: string | null; version: number }>(
    `select id, follows, (payload->'flow_run'->>'version')::int4 as version from event
     where resource_id = $1 order by entry_ms, entry_seq, entry_index`,
    [resourceId],
  )
}
