/** Every finding is made to happen, and its remedy carried out, after which it must be gone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import pg from 'pg'
import { examine, type Finding, type Limits } from '#src/doctor/index.ts'
import { childrenOf } from '#src/embedded/process-identity.ts'
import { createLog } from '#src/log.ts'
import { dayOf, dayTable, makeDayPartitions } from '#src/store/day-partitions.ts'
import { copyEntries } from '#src/store/event-log.ts'
import { exclusively } from '#src/store/exclusive.ts'
import { migrate } from '#src/store/migrate.ts'
import { millraceHere } from '#test/cli/in-process.ts'
import { ownPostgres } from '#test/servers/postgres.ts'
import { ownRedis } from '#test/servers/redis.ts'
import { encode, entryOf, sentAt } from '#test/store/event-rows.ts'
import { waitUntil } from '#test/wait-until.ts'
import { world } from '#test/world.ts'
import { mend } from './mend.ts'

const DAY_MS = 86_400_000
const log = createLog('silent')
const redisOf = (url: string) => ({ url, tlsCaFile: null })

test('what is wrong with a database is found, and its remedy mends it', async (t) => {
  const { databaseUrl, redisUrl, defer } = await world(t)
  const places = { databaseUrl, redisUrl }
  const look = async (limits: Partial<Limits> = {}) =>
    (await examine({ databaseUrl, redis: null, nowMs: Date.now, timeoutMs: 10_000, log, limits })).findings
  const pool = new pg.Pool({ connectionString: databaseUrl })
  defer(() => pool.end())
  /** Postgres keeps its counts of dead rows back for up to 10 s, unless it is told not to. */
  const counted = (statement: string) => pool.query(`${statement}; select pg_stat_force_next_flush()`)
  const of = (findings: readonly Finding[]) => findings.map(({ check, subject }) => `${check} of ${subject}`)
  /** Finds it, has it mended, and finds it gone. */
  async function mended(expected: string, limits: Partial<Limits> = {}): Promise<Finding> {
    const found = await waitUntil(async () => (await look(limits)).find((finding) => of([finding])[0] === expected), {
      what: expected,
    })
    await mend(found.remedy, places)
    await waitUntil(async () => !of(await look(limits)).includes(expected), { what: `${expected} to be gone` })
    return found
  }

  await mended('schema-outdated of database')
  await makeDayPartitions(
    pool,
    [0, 1, 2].map((n) => dayOf(Date.now()) + n),
  )
  assert.deepEqual(await look(), [], 'a new database is well')

  await t.test('the schema', async () => {
    await pool.query(`update migration set checksum = 'another' where name = '0003_suspect'`)
    const changed = (await look()).find(({ check }) => check === 'schema-changed')
    assert.deepEqual(
      [changed?.level, changed?.remedy.split('   #')[0]],
      ['critical', 'millrace database stamp 0003_suspect'],
    )
    await mend(changed?.remedy.replace('stamp', 'stamp -y') ?? '', places)
    await pool.query(`insert into migration (name) values ('9999_future')`)
    assert.deepEqual(of(await look()), ['schema-too-new of database'])
    await pool.query(`delete from migration where name = '9999_future'`)
    await pool.query(
      'create index loss_by_cause on loss (cause); create index event_by_follows on only event (follows)',
    )
    assert.deepEqual(of(await look()), ['invalid-index of index event_by_follows'])
    await mended('invalid-index of index event_by_follows')
  })

  await t.test('the days of the log', async () => {
    const last = dayTable(dayOf(Date.now()) + 2)
    await pool.query(`alter table event detach partition ${last}; drop table ${last}`)
    await mended('missing-days of table event')
    const client = await pool.connect()
    await copyEntries(client, [entryOf(encode(sentAt(new Date(Date.now() - 3 * DAY_MS).toISOString(), 2)), 1)])
    await copyEntries(client, [entryOf(encode(sentAt(new Date(Date.now() + 90 * DAY_MS).toISOString(), 5)), 2)])
    client.release()
    await mended('default-partition of table event_default')
    const ahead = await waitUntil(async () => (await look({ aheadEvents: 5 }))[0])
    assert.deepEqual([ahead.check, /about \d+ events/.test(ahead.what)], ['events-ahead', true])
    await mend(ahead.remedy, places) // shows who sends them; nothing to see here
  })

  await t.test('dead rows, and an autovacuum that is off or late', async () => {
    await counted(`insert into suspect ("group", partition, entry_ms, entry_seq, entry_index)
      select 'x', 1, n, 0, 0 from generate_series(1, 1000) as n; analyze suspect`)
    await pool.query('alter table suspect set (autovacuum_enabled = off)')
    await counted('update suspect set attempts = 2')
    await mended('autovacuum-off of table suspect', { deadRows: 100 })
    await pool.query('alter table suspect set (autovacuum_vacuum_threshold = 100000)') // nobody may come and do it
    await counted('update suspect set attempts = 3')
    await mended('dead-tuples of table suspect', { deadRows: 100 })
    await counted('update suspect set attempts = 4')
    const late = await mended('autovacuum-lag of table suspect', { deadRows: 100, overdue: 0.001 })
    assert.match(late.what, /\d+ of \d+ rows are dead, it should come at 100200, and it never came$/)
  })

  await t.test('transaction ids that run out', async () => {
    for (let i = 0; i < 100; i++) await pool.query('select pg_current_xact_id()')
    const limits = { frozenShare: 50 / 2 ** 31 }
    const [worst] = await look(limits)
    assert.deepEqual([worst?.check, worst?.level], ['wraparound', 'warning'])
    await mended(`wraparound of ${worst?.subject}`, limits)
    const [next] = await look({ ...limits, frozenShareCritical: 50 / 2 ** 31 })
    assert.equal(next?.level, 'critical')
  })

  await t.test('empty space', async () => {
    await counted(`create table swollen (n int4 primary key, text text);
      insert into swollen select n, repeat('x', 100) from generate_series(1, 20000) as n; analyze swollen`)
    assert.deepEqual(of(await look({ bloatBytes: 100_000 })), [], 'an estimate of what is full')
    await counted('delete from swollen where n % 50 <> 0')
    await pool.query('vacuum (analyze, truncate off) swollen')
    const limits = { bloatBytes: 100_000 }
    assert.deepEqual(of(await look(limits)).sort(), [
      'index-bloat of index swollen_pkey',
      'table-bloat of table swollen',
    ])
    await mended('index-bloat of index swollen_pkey', limits)
    await mended('table-bloat of table swollen', limits)
  })

  await t.test('indexes that nobody uses', async () => {
    const limits = { unusedMs: 0, unusedBytes: 1 }
    const passing = ['event_20200101_gone_1', 'event_20200101_kept', 'suspect__old']
    for (const table of passing) await pool.query(`create table ${table} (n int4); create index on ${table} (n)`)
    assert.deepEqual(
      of(await look(limits)).sort(),
      ['unused-index of index event_by_follows', 'unused-index of index loss_by_cause'],
      'none of ours, and none of tables on their way',
    )
    await pool.query(`drop table ${passing.join(', ')}`)
    await mended('unused-index of index event_by_follows', limits)
    await mended('unused-index of index loss_by_cause', limits)
  })

  await t.test('a transaction that is left open', async () => {
    const client = new pg.Client({ connectionString: databaseUrl, application_name: 'forgotten' })
    client.on('error', () => {})
    await client.connect()
    await client.query('begin isolation level repeatable read; select count(*) from loss')
    const { rows } = await client.query('select pg_backend_pid() as pid')
    const subject = `open-transaction of process ${rows[0].pid} of postgres (forgotten)`
    assert.match((await mended(subject, { transactionMs: 1 })).what, /nothing can be vacuumed/)
  })

  await t.test('one that only has locks, and none of ours that has but a name', async () => {
    const client = new pg.Client({ connectionString: databaseUrl, application_name: 'forgotten' })
    client.on('error', () => {})
    await client.connect()
    await client.query('begin; select count(*) from loss')
    const { rows } = await client.query('select pg_backend_pid() as pid')
    const subject = `open-transaction of process ${rows[0].pid} of postgres (forgotten)`
    assert.match((await mended(subject, { transactionMs: 1 })).what, /wait for its locks/)
    await exclusively(pool, 'retention', async () => {
      // At first it has the snapshot of the statement that locked; the next sign of life gives that back.
      await waitUntil(async () => (await look({ transactionMs: 0 })).length === 0, { what: 'the lock to be in no way' })
    })
  })

  await t.test('durability, by what the database or the role was given', async () => {
    const { rows } = await pool.query('select current_database() as name')
    await pool.query(`alter database ${rows[0].name} set synchronous_commit = off`)
    const found = await mended('durability of postgres')
    assert.equal(found.level, 'critical')
  })

  assert.deepEqual(of(await look()), [])
})

test('what is wrong with a server of Postgres is found', async (t) => {
  const postgres = await ownPostgres(t, {
    fsync: 'off',
    autovacuum: 'off',
    max_connections: '12',
    wal_level: 'replica',
  })
  await migrate(postgres.url, { timeoutMs: 0 })
  const limits = { slotBytes: 0, connectionShare: 0.5 }
  const look = async () =>
    (
      await examine({ databaseUrl: postgres.url, redis: null, nowMs: Date.now, timeoutMs: 10_000, log, limits })
    ).findings.filter(({ check }) => check !== 'missing-days')
  const clients = Array.from({ length: 6 }, () => new pg.Client({ connectionString: postgres.url }))
  await Promise.all(clients.map((client) => client.connect()))
  await clients[0]?.query(`select pg_create_physical_replication_slot('standby', true)`)
  const found = await look()
  assert.deepEqual(
    found.map(({ check, what }) => [check, what.split(/[:,]/)[0]]),
    [
      ['autovacuum-off', 'autovacuum is off'],
      ['durability', 'fsync is off'],
      ['connections', '7 of 12 connections are in use'],
      ['replication-slot', 'nobody reads it'],
    ],
  )
  await mend(found[3]?.remedy ?? '', { databaseUrl: postgres.url, redisUrl: '' })
  await Promise.all(clients.map((client) => client.end()))
  await waitUntil(async () => (await look()).length === 2)
})

test('what is wrong with Redis is found, and its remedy mends it', async (t) => {
  const { databaseUrl } = await world(t)
  const redis = await ownRedis(t, {
    config: { maxmemory: '0', 'maxmemory-policy': 'allkeys-lru', 'auto-aof-rewrite-percentage': '0' },
  })
  const client = new Redis(redis.url)
  t.after(async () => client.disconnect())
  const look = async (limits: Partial<Limits> = {}) =>
    (
      await examine({ databaseUrl, redis: redisOf(redis.url), nowMs: Date.now, timeoutMs: 10_000, log, limits })
    ).findings.filter(({ subject }) => subject === `redis 127.0.0.1:${redis.port}`)
  const checks = (findings: readonly Finding[]) => findings.map(({ check, level }) => `${level} ${check}`)
  const mendAll = async () => {
    for (const { remedy } of await look()) await mend(remedy, { databaseUrl, redisUrl: redis.url })
  }

  assert.deepEqual(checks(await look()), ['critical redis-policy', 'warning redis-rewrite', 'warning redis-maxmemory'])
  await mendAll()
  assert.deepEqual(await look(), [])

  await client.config('SET', 'appendfsync', 'no')
  assert.deepEqual(checks(await look()), ['warning redis-fsync'])
  await mendAll()
  await client.config('SET', 'appendonly', 'no')
  assert.deepEqual(checks(await look()), ['critical redis-aof'])
  await mendAll()
  assert.deepEqual(await look(), [])

  // The child that rewrites is slowed down, so that it can be killed.
  await client.mset(Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`filler:${n}`, 'x'])))
  await client.config('SET', 'rdb-key-save-delay', '100000')
  await waitUntil(async () => /aof_rewrite_in_progress:0/.test(await client.info('persistence')))
  await client.bgrewriteaof()
  const child = await waitUntil(() => childrenOf(redis.pid)[0], { what: 'the rewriting child' })
  process.kill(child, 'SIGKILL')
  await waitUntil(async () => checks(await look()).includes('warning redis-rewrite-failed'))
  await client.config('SET', 'rdb-key-save-delay', '0')
  await mendAll()
  await waitUntil(async () => (await look()).length === 0)

  const used = Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1])
  await client.config('SET', 'maxmemory', String(Math.round(used * 1.15)))
  assert.deepEqual(checks(await look()), ['warning redis-memory'])
  assert.deepEqual(checks(await look({ fullShare: 0.5 })), ['critical redis-memory'])
})

test('clocks that differ are found, and servers that are away', async (t) => {
  const { databaseUrl, redisUrl } = await world(t)
  const fast = () => Date.now() + 5_000
  const { findings } = await examine({ databaseUrl, redis: redisOf(redisUrl), nowMs: fast, timeoutMs: 10_000, log })
  const clocks = findings.filter(({ check }) => check === 'clocks')
  assert.equal(clocks.length, 2)
  for (const { what } of clocks)
    assert.match(what, /^that of this machine is (49|50)\d\d ms ahead of that of (Redis|Postgres)/)

  const nowhere = { databaseUrl: 'postgresql://me:hush@127.0.0.1:1/none', redis: redisOf('redis://127.0.0.1:1') }
  const away = await examine({
    ...nowhere,
    schedulerRedis: { url: 'redis+sentinel://127.0.0.1:2,127.0.0.1:3/main', setting: 'MILLRACE_SCHEDULER_REDIS_URL' },
    nowMs: Date.now,
    timeoutMs: 300,
    redisWithinMs: 300,
    log,
  })
  assert.deepEqual(
    away.findings.map(({ check, level, subject }) => [check, level, subject]),
    [
      ['away', 'critical', 'postgres'],
      ['away', 'critical', 'redis'],
      ['away', 'warning', "the scheduler's redis"],
    ],
  )
  assert.match(away.findings[2]?.what ?? '', /start it, or correct MILLRACE_SCHEDULER_REDIS_URL\.$/)
  assert.deepEqual(
    away.findings.slice(1).map(({ remedy }) => remedy),
    ['redis-cli -u "$MILLRACE_REDIS_URL" ping', 'redis-cli -h 127.0.0.1 -p 2 ping'],
  )
  assert.ok(away.findings.every(({ what }) => !what.includes('hush')))
})

test('a Redis that the scheduler has for itself is looked at, as what it is', async (t) => {
  const { databaseUrl, redisUrl } = await world(t)
  const redis = await ownRedis(t, { config: { 'maxmemory-policy': 'allkeys-lru', appendonly: 'no' } })
  const look = async (limits: Partial<Limits> = {}) =>
    (
      await examine({
        databaseUrl,
        redis: redisOf(redisUrl),
        schedulerRedis: { url: redis.url, setting: 'MILLRACE_SCHEDULER_REDIS_URL' },
        nowMs: Date.now,
        timeoutMs: 0,
        log,
        limits,
      })
    ).findings.filter(({ subject }) => subject.includes(`:${redis.port}`))
  const [policy, ...others] = await look()
  assert.deepEqual(
    [policy?.check, policy?.level, policy?.subject, others],
    ['redis-policy', 'warning', `the scheduler's redis 127.0.0.1:${redis.port}`, []],
    'it needs no append-only file',
  )
  assert.match(
    policy?.remedy ?? '',
    /^redis-cli -u "\$MILLRACE_SCHEDULER_REDIS_URL" config set maxmemory-policy noeviction/,
  )
  await mend(policy?.remedy ?? '', { databaseUrl, redisUrl: redis.url })
  assert.deepEqual(await look(), [])
  const client = new Redis(redis.url)
  t.after(async () => client.disconnect())
  const used = Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1])
  await client.config('SET', 'maxmemory', String(Math.round(used * 1.15)))
  assert.deepEqual(
    (await look()).map(({ check, level }) => [check, level]),
    [['redis-memory', 'warning']],
  )
})

test('the command prints sizes, findings and remedies, and its exit code is for monitoring', async (t) => {
  const { databaseUrl, redisUrl } = await world(t)
  const env = { MILLRACE_DATABASE_URL: databaseUrl }
  await migrate(databaseUrl, { timeoutMs: 0 })
  const sick = await millraceHere(['database', 'doctor'], env)
  assert.equal(sick.exit, 3)
  assert.match(sick.stdout, /^LARGEST TABLES +ROWS +SIZE +INDEXES\n/)
  assert.match(
    sick.stdout,
    /\nWARNING missing-days: table event\n {2}it has no event_\d{8}.*\n {2}\$ millrace database repair -y .*\n\n0 critical, 1 warning\.\n$/,
  )
  assert.equal(sick.stderr, 'MILLRACE_REDIS_URL is unset: Redis was not looked at.\n')
  await mend('millrace database repair -y', { databaseUrl, redisUrl })
  const well = await millraceHere(['database', 'doctor'], env)
  assert.deepEqual([well.exit, well.stdout.split('\n').at(-2)], [0, 'All is well.'])
  const unlimited = await millraceHere(['database', 'doctor', '--json'], {
    ...env,
    MILLRACE_REDIS_URL: redisUrl,
    MILLRACE_SCHEDULER_REDIS_URL: 'redis://127.0.0.1:1',
    MILLRACE_DATABASE_TIMEOUT: '0',
  })
  assert.deepEqual(
    JSON.parse(unlimited.stdout)
      .findings.filter(({ check }: Finding) => check === 'away')
      .map(({ subject }: Finding) => subject),
    ["the scheduler's redis"],
    'no limit for statements is none for Redis',
  )
  const json = await millraceHere(['database', 'doctor', '--json'], {
    ...env,
    MILLRACE_DATABASE_URL: 'postgresql://me@127.0.0.1:1/none',
  })
  assert.equal(json.exit, 4)
  assert.deepEqual(
    JSON.parse(json.stdout).findings.map(({ check }: Finding) => check),
    ['away'],
  )
})
