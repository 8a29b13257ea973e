/** Everything goes through a real PgBouncer in transaction mode: the upgrade, and the whole way of an event, until it leaves. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import pg from 'pg'
import { openArchive, readManifests, restoreDay } from '#src/archive/index.ts'
import { loadSettings } from '#src/config.ts'
import { exclusively } from '#src/store/exclusive.ts'
import { migrate, migrationStatus } from '#src/store/migrate.ts'
import { ServerProcess } from '#test/faults/harness/process.ts'
import { archiveIn, DAY_MS, logIn, NOW } from '#test/retention/log-world.ts'
import { skipUnlessFound } from '#test/servers/needed-in-ci.ts'
import { findPgBouncer, startPgBouncer } from '#test/servers/pgbouncer.ts'
import { makeTemporaryHome, removeHome } from '#test/servers/temporary-home.ts'
import { waitUntil } from '#test/wait-until.ts'
import { world } from '#test/world.ts'
import { BY_PLACE, PARTITIONED, upgradeWorld, waitsForWriter } from './schema/upgrade-world.ts'

const found = await findPgBouncer()
const skip = skipUnlessFound(found)
const binary = typeof found === 'string' ? { command: '', libraryPath: null } : found
/** Fewer than the processes' pools want, so that clients take turns on a connection. */
const CONNECTIONS = 6

test('events come in, are written and read through PgBouncer, and no connection is left with a state', {
  skip,
}, async (t) => {
  const { databaseUrl, redisUrl, prefix, defer } = await world(t)
  const bouncer = await startPgBouncer(binary, databaseUrl, CONNECTIONS)
  defer(() => bouncer.stop())
  const home = makeTemporaryHome()
  defer(() => removeHome(home))
  const start = async (name: string, command: string[]) => {
    const environment = {
      MILLRACE_HOME: join(home, name),
      MILLRACE_REDIS_URL: redisUrl,
      MILLRACE_REDIS_PREFIX: prefix,
      MILLRACE_DATABASE_URL: bouncer.url,
      MILLRACE_SERVER_PORT: '0',
      MILLRACE_METRICS_PORT: '0',
    }
    const process_ = new ServerProcess({ name, command, environment })
    defer(() => process_.stop())
    await process_.start()
    return process_
  }
  // Both upgrade an empty database, one waits for the other.
  const [api, services] = await Promise.all([
    start('api', ['server', 'start', '--no-services']),
    start('services', ['services', 'start']),
  ])
  const call = async (path: string, body: unknown) => {
    const answer = await fetch(`${api.url}/api${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    assert.ok(answer.ok, `${path} ${answer.status} ${await answer.clone().text()}`)
    return answer
  }
  const occurred = new Date().toISOString()
  const event = (n: number) => ({
    id: randomUUID(),
    occurred,
    event: 'bouncer.passed',
    resource: { 'prefect.resource.id': `thing.${n % 10}` },
  })
  const batches = Array.from({ length: 20 }, () => Array.from({ length: 50 }, (_, n) => event(n)))
  await Promise.all(batches.map((batch) => call('/events?ack=persisted', batch)))
  const filter = { filter: { event: { name: ['bouncer.passed'] } }, limit: 50 }
  const pages = await Promise.all(Array.from({ length: 20 }, () => call('/events/filter', filter)))
  for (const page of pages) assert.equal(((await page.json()) as { total: number }).total, 1_000)
  const direct = new pg.Client({ connectionString: databaseUrl })
  await direct.connect()
  defer(() => direct.end())
  const { rows } = await direct.query('select id::text from event order by id')
  assert.deepEqual(
    rows.map(({ id }) => id),
    batches
      .flat()
      .map(({ id }) => id)
      .sort(),
  )
  assert.deepEqual([...api.lines('warn'), ...services.lines('warn')], [])
  await assertNoState(bouncer.url, databaseUrl)
})

test('indexes are built through PgBouncer, and of two upgrades one waits', { skip }, async (t) => {
  const { databaseUrl, release, writer, built, defer } = await upgradeWorld(t)
  const bouncer = await startPgBouncer(binary, databaseUrl, CONNECTIONS)
  defer(() => bouncer.stop())
  const first = release({ '0001_reading.sql': PARTITIONED })
  await migrate(bouncer.url, { timeoutMs: 0, folder: first })
  const folder = release({ '0001_reading.sql': PARTITIONED, '0002_by_place.index.sql': BY_PLACE })
  const open = await writer('reading_1')
  let [building, waiting] = [false, false]
  const one = migrate(bouncer.url, {
    timeoutMs: 0,
    folder,
    onStep: (step) => {
      if (waitsForWriter(step)) building = true
    },
  })
  await waitUntil(() => building, { what: 'the build to wait for the writer' })
  const two = migrate(bouncer.url, {
    timeoutMs: 0,
    folder,
    onStep: ({ step }) => {
      if (step === 'waiting') waiting = true
    },
  })
  await waitUntil(() => waiting, { what: 'the second upgrade to wait' })
  await open.end()
  assert.deepEqual([await one, await two], [{ applied: ['0002_by_place'] }, { applied: [] }])
  assert.deepEqual(await built('reading_by_place'), ['reading', 'reading_1', 'reading_2', 'reading_default'])
  assert.deepEqual((await migrationStatus(bouncer.url, folder)).pending, [])
  await assertNoState(bouncer.url, databaseUrl)
})

test('days leave through PgBouncer, are archived and brought back, by one process at a time', { skip }, async (t) => {
  const { databaseUrl, defer } = await world(t)
  await migrate(databaseUrl, { timeoutMs: 0 })
  const bouncer = await startPgBouncer(binary, databaseUrl, CONNECTIONS)
  defer(() => bouncer.stop())
  const home = makeTemporaryHome()
  defer(() => removeHome(home))
  const pool = new pg.Pool({ connectionString: bouncer.url, max: CONNECTIONS - 1 })
  defer(() => pool.end())
  const place = openArchive(loadSettings({ env: { MILLRACE_ARCHIVE_URL: pathToFileURL(home).href } }).settings)
  assert.ok(place)
  const { put, prune, places, makeDays, tables } = await logIn(pool)
  await makeDays(['2026-03-03', '2026-03-04', '2026-03-10'])
  for (const date of ['2026-03-02', '2026-03-03', '2026-03-04']) {
    await put(`${date}T12:00:00Z`, 'order.placed', 500) // the 2nd has no day any more
    await put(`${date}T12:00:00Z`, 'billing.paid', 3)
  }
  await put('2026-03-10T12:00:00Z', 'heartbeat', 1_500)
  const overrides = { 'billing.*': 700 * DAY_MS, heartbeat: DAY_MS }
  const done = await exclusively(pool, 'retention', async () => {
    assert.equal(await exclusively(pool, 'retention', async () => 'a second one'), null)
    return prune({ overrides, ...archiveIn(place, { pool }) })
  })
  assert.deepEqual([done?.days, done?.events, done?.deletedEvents, done?.failed], [3, 1_500, 1_500, 0])
  assert.deepEqual(await places(), { event_20260302: 3, event_20260303: 3, event_20260304: 3 })
  assert.deepEqual(await tables(), ['event_20260302', 'event_20260303', 'event_20260304', 'event_20260310'])
  const manifests = (await readManifests(place, '2026-03-03')).map(({ manifest }) => manifest)
  const { signal } = new AbortController()
  const restored = await restoreDay(manifests, { place, pool, nowMs: () => NOW, forMs: DAY_MS, signal })
  assert.deepEqual(restored, { events: 500, added: 500 })
  assert.equal(await exclusively(pool, 'retention', async () => 'the lock was given back'), 'the lock was given back')
  await assertNoState(bouncer.url, databaseUrl)
})

/** Holds all of PgBouncer's connections at once, and looks at what somebody left on them. */
async function assertNoState(url: string, databaseUrl: string): Promise<void> {
  const direct = new pg.Client({ connectionString: databaseUrl })
  await direct.connect()
  const { rows: fresh } = await direct.query(SETTINGS)
  const { rows: locks } = await direct.query(
    `select pid from pg_locks join pg_stat_activity a using (pid) where locktype = 'advisory' and a.datname = current_database() and a.state = 'idle'`,
  )
  await direct.end()
  assert.deepEqual(locks, [], 'no lock outlives its transaction')
  const clients = Array.from({ length: CONNECTIONS }, () => new pg.Client({ connectionString: url }))
  try {
    const seen = new Set<number>()
    for (const client of clients) {
      await client.connect()
      await client.query('begin')
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
      seen.add(rows[0]?.pid ?? 0)
      assert.deepEqual((await client.query(SETTINGS)).rows, fresh)
      assert.deepEqual((await client.query('select name from pg_prepared_statements')).rows, [])
    }
    assert.equal(seen.size, CONNECTIONS, 'all of them were looked at')
  } finally {
    await Promise.all(clients.map((client) => client.end()))
  }
}

/** What a session may have been given, without what belongs to the client. */
const SETTINGS = `select name, setting from pg_settings where source = 'session'
  and name not in ('application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings') order by name`
