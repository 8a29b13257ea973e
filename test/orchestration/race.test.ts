import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { startServer } from '#src/app.ts'
import { loadSettings } from '#src/config.ts'
import { createLog } from '#src/log.ts'
import { type World, world } from '#test/world.ts'

const SLOTS = 20
const TAKERS = 50

test('of many that ask two servers at once for slots of one limit none is lost, and what is answered can be read', async (t) => {
  const place = await world(t)
  const servers = [await server(place, true), await server(place, false)]
  const call = async (server: number, method: string, path: string, body?: object) => {
    const json = body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    const response = await fetch(`${servers[server]}/api/v2/concurrency_limits${path}`, { method, ...json })
    const text = await response.text()
    return { status: response.status, answer: text === '' ? null : JSON.parse(text) }
  }
  const { answer: limit } = await call(0, 'POST', '/', { name: 'raced', limit: SLOTS })
  const active = async (server: number): Promise<number> => (await call(server, 'GET', '/raced')).answer.active_slots
  const leases: string[] = []
  let refused = 0
  const take = async (server: number) => {
    const { status, answer } = await call(server, 'POST', '/increment-with-lease', { names: ['raced'], slots: 1 })
    if (status === 423) refused++
    else leases.push(answer.lease_id)
    assert.ok(status === 200 || status === 423, `${status} ${JSON.stringify(answer)}`)
    const taken = leases.length
    assert.ok((await active(1 - server)) >= taken, 'the other server knows of what was answered')
  }
  const give = (lease_id: string, i: number) => call(i % 2, 'POST', '/decrement-with-lease', { lease_id })

  await Promise.all(Array.from({ length: TAKERS }, (_, i) => take(i % 2)))
  assert.deepEqual([leases.length, refused], [SLOTS, TAKERS - SLOTS])
  const some = leases.splice(0, SLOTS / 2)
  for (const { status } of await Promise.all(some.map(give))) assert.equal(status, 204)
  assert.deepEqual([await active(0), await active(1)], [SLOTS / 2, SLOTS / 2])
  const history = await historyOf(place, `prefect.concurrency-limit.${limit.id}`, 'concurrency_limit')
  assert.deepEqual(
    history.map(({ version }) => version),
    Array.from({ length: 1 + SLOTS + SLOTS / 2 }, (_, i) => i + 1),
    'each event follows the one before',
  )
})

async function server({ redisUrl, databaseUrl, prefix, defer }: World, withServices: boolean): Promise<string> {
  const env = {
    MILLRACE_REDIS_URL: redisUrl,
    MILLRACE_REDIS_PREFIX: prefix,
    MILLRACE_DATABASE_URL: databaseUrl,
    MILLRACE_SERVER_PORT: '0',
  }
  const { settings } = loadSettings({ env })
  const started = await startServer({ settings, log: createLog('silent'), withApi: true, withServices })
  defer(() => started.stop())
  return started.url as string
}

/** What the log has of a resource, in the order in which it was appended. */
async function historyOf({ databaseUrl }: World, resourceId: string, payload: string) {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const { rows } = await client.query<{ id: string; follows: string | null; version: number }>(
      `select id, follows, (payload->$2->>'version')::int4 as version from event
       where resource_id = $1 order by entry_ms, entry_seq, entry_index`,
      [resourceId, payload],
    )
    return rows
  } finally {
    await client.end()
  }
}
