/**
 * Postgres is restored from a dump of the live system while Redis has gone on: groups go on from the restored checkpoint, what
 * Redis still holds is applied again, and what it has trimmed is named in the loss ledger.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import pg from 'pg'
import { createKeys } from '#src/bus/keys.ts'
import { skipUnlessFound } from '#test/servers/needed-in-ci.ts'
import { ownPostgres } from '#test/servers/postgres.ts'
import { findPostgresTools } from '#test/servers/postgres-tools.ts'
import { ownRedis } from '#test/servers/redis.ts'
import { makeTemporaryHome, removeHome } from '#test/servers/temporary-home.ts'
import { waitUntil } from '#test/wait-until.ts'
import { ServerProcess } from './harness/process.ts'

const tools = await findPostgresTools()
const skip = skipUnlessFound(tools)

test('after a restore of Postgres nothing is lost that Redis still holds, and what is gone is named', {
  skip,
}, async (t) => {
  if (typeof tools === 'string') return
  const home = makeTemporaryHome()
  const running: ServerProcess[] = []
  t.after(async () => {
    if ((t as { passed?: boolean }).passed === false)
      for (const { log } of running) process.stdout.write(`--- \n${log.slice(-25).join('\n')}\n`)
    await Promise.all(running.map((each) => each.kill9()))
    removeHome(home)
  })
  const [postgres, redis] = await Promise.all([ownPostgres(t, {}, tools.server), ownRedis(t)])
  const dump = join(home, 'millrace.dump')
  let api = { url: '' }

  const start = async (janitor: boolean) => {
    const create = async (name: string, command: string[]) => {
      const environment = {
        MILLRACE_HOME: join(home, name),
        MILLRACE_REDIS_URL: redis.url,
        MILLRACE_DATABASE_URL: postgres.url,
        MILLRACE_SERVER_PORT: '0',
        MILLRACE_METRICS_PORT: '0',
        MILLRACE_STREAMS_PARTITIONS: '2',
        MILLRACE_SERVICES_STREAM_JANITOR_ENABLED: String(janitor),
      }
      const created = new ServerProcess({ name, command, environment })
      running.push(created)
      await created.start()
      return created
    }
    const [first] = await Promise.all([
      create('api', ['server', 'start', '--no-services']),
      create('services', ['services', 'start']),
    ])
    api = first
  }
  const stop = async () => {
    await Promise.all(running.splice(0).map((each) => each.stop()))
  }
  /** Resolves when Postgres has them. Returns their ids. */
  const send = async (name: string, count: number): Promise<string[]> => {
    const occurred = new Date().toISOString()
    const events = Array.from({ length: count }, (_, n) => ({
      id: randomUUID(),
      occurred,
      event: name,
      resource: { 'prefect.resource.id': `${name}.${n % 5}` },
    }))
    const answer = await fetch(`${api.url}/api/events?ack=persisted`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(events),
    })
    assert.equal(answer.status, 204, await answer.text())
    return events.map(({ id }) => id)
  }
  const query = async <T extends pg.QueryResultRow>(statement: string): Promise<T[]> => {
    const client = new pg.Client({ connectionString: postgres.url })
    await client.connect()
    try {
      return (await client.query<T>(statement)).rows
    } finally {
      await client.end()
    }
  }
  const idsInLog = async () => (await query<{ id: string }>('select id::text from event')).map(({ id }) => id).sort()
  const restore = async () => {
    const database = new URL(postgres.url)
    const name = database.pathname.slice(1)
    database.pathname = '/postgres'
    const client = new pg.Client({ connectionString: database.href })
    await client.connect()
    await client.query(`drop database ${name} with (force)`)
    await client.query(`create database ${name}`)
    await client.end()
    await tools.restore(postgres.url, dump)
  }

  await start(false) // nothing is trimmed: Redis holds all of it
  const before = await send('before', 100)
  const during: string[] = []
  const dumping = tools.dump(postgres.url, dump)
  let dumped = false
  void dumping.finally(() => {
    dumped = true
  })
  do during.push(...(await send('during', 20)))
  while (!dumped)
  await dumping
  const after: string[] = []
  for (let n = 0; n < 5; n++) after.push(...(await send('after', 40)))
  const all = [...before, ...during, ...after].sort()
  assert.deepEqual(await idsInLog(), all)

  await stop()
  await restore()
  const restored = await idsInLog()
  assert.ok(
    before.every((id) => restored.includes(id)) && !after.some((id) => restored.includes(id)),
    'of the live system',
  )
  await start(true) // with a janitor: what is applied again must not be trimmed before
  await waitUntil(async () => (await idsInLog()).length >= all.length, {
    timeoutMs: 30_000,
    what: 'the events to be applied again',
  })
  assert.deepEqual(await idsInLog(), all)
  assert.deepEqual(await query('select * from loss'), [])
  const applied = 'select sum(event_count)::int4 as events from resource_activity'
  await waitUntil(async () => (await query(applied))[0]?.events === all.length, {
    timeoutMs: 30_000,
    what: 'projections to have it all',
  })

  await stop()
  const client = new Redis(redis.url)
  t.after(async () => client.disconnect())
  for (const stream of [0, 1].map(createKeys('millrace').stream)) await client.xtrim(stream, 'MAXLEN', 0)
  await restore()
  const expected = await query(
    `select "group", 'missing' as cause, ${all.length} - sum(event_count)::int4 as events from checkpoint group by 1 order by 1`,
  )
  assert.deepEqual(expected[0], { group: 'persister', cause: 'missing', events: all.length - restored.length })
  await start(true)
  const lost = () => query('select "group", cause, sum(events)::int4 as events from loss group by 1, 2 order by 1')
  await waitUntil(async () => assert.deepEqual(await lost(), expected) ?? true, {
    timeoutMs: 30_000,
    what: 'the losses to be in the ledger',
  })
  const later = await send('later', 10)
  assert.deepEqual(await idsInLog(), [...restored, ...later].sort())
})
