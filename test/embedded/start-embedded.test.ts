import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import pg from 'pg'
import { HomeInUse } from '#src/embedded/index.ts'
import { identify } from '#src/embedded/process-identity.ts'
import { waitUntil } from '../wait-until.ts'
import { remember, remembered, scratch } from './scratch.ts'

const REDIS_ONLY = { redis: true, postgres: false }
const gone = (pids: readonly number[]): boolean => pids.every((pid) => identify(pid) === null)

test('data is kept between starts, and stopping leaves no process', async (t) => {
  const { start } = scratch(t)
  const first = await start()
  await remember(first, 'first')
  const pids = first.pids
  assert.equal(pids.length, 2)
  await first.stop()
  assert.ok(gone(pids))

  const second = await start()
  assert.deepEqual(await remembered(second), ['first'])
  assert.deepEqual([second.redisUrl, second.databaseUrl], [first.redisUrl, first.databaseUrl], 'the addresses stay')
})

test('only what is needed is started', async (t) => {
  const embedded = await scratch(t).start(REDIS_ONLY)
  assert.equal(embedded.databaseUrl, null)
  assert.equal(embedded.pids.length, 1)
})

test('the embedded Redis syncs each write before it answers, and evicts nothing', async (t) => {
  const embedded = await scratch(t).start(REDIS_ONLY)
  const redis = new Redis(embedded.redisUrl ?? '')
  const settings = ['appendonly', 'appendfsync', 'maxmemory-policy', 'save', 'stop-writes-on-bgsave-error']
  const found = await Promise.all(settings.map((name) => redis.config('GET', name)))
  redis.disconnect()
  assert.deepEqual(found, [
    ['appendonly', 'yes'],
    ['appendfsync', 'always'],
    ['maxmemory-policy', 'noeviction'],
    ['save', ''],
    ['stop-writes-on-bgsave-error', 'no'],
  ])
})

test('the embedded Redis has a bound of memory, beside which the machine has room for the rest', async (t) => {
  const embedded = await scratch(t).start(REDIS_ONLY)
  const redis = new Redis(embedded.redisUrl ?? '')
  const [, bytes] = (await redis.config('GET', 'maxmemory')) as [string, string]
  redis.disconnect()
  assert.ok(Number(bytes) > 0 && Number(bytes) <= totalmem() / 4, bytes)
})

test('other users get neither at the servers nor at the passwords', async (t) => {
  const { home, start } = scratch(t)
  const embedded = await start()
  const redisUrl = new URL(embedded.redisUrl ?? '')
  redisUrl.password = ''
  const redis = new Redis(redisUrl.href)
  redis.on('error', () => {}) // the command rejects as well
  await assert.rejects(redis.get('x'), /NOAUTH/)
  redis.disconnect()
  const databaseUrl = new URL(embedded.databaseUrl ?? '')
  databaseUrl.password = 'wrong'
  const client = new pg.Client({ connectionString: databaseUrl.href })
  await assert.rejects(client.connect(), /password authentication failed/)
  for (const secret of ['redis', 'postgres/password', 'postgres/data']) {
    assert.equal(statSync(join(home, secret)).mode & 0o077, 0, secret)
  }
})

test('the database sorts by bytes, and knows the upper and lower case of every alphabet', async (t) => {
  const embedded = await scratch(t).start()
  const client = new pg.Client({ connectionString: embedded.databaseUrl ?? '' })
  await client.connect()
  const { rows } = await client.query(
    `select lower('ÄЖ') as lower, 'Z' < 'a' as bytes, current_setting('fsync') as fsync`,
  )
  await client.end()
  assert.deepEqual(rows, [{ lower: 'äж', bytes: true, fsync: 'on' }])
})

test('a second start on the same home is refused, naming the home and the process that has it', async (t) => {
  const { home, start } = scratch(t)
  const embedded = await start()
  await assert.rejects(start(), (error) => {
    assert.ok(error instanceof HomeInUse)
    assert.ok(error.message.includes(home) && error.message.includes(`process ${process.pid}`), error.message)
    return true
  })
  await remember(embedded, 'the first one is unharmed')
})

test('of two starts at the same time on a new home exactly one wins, and its servers work', async (t) => {
  const { startInChild } = scratch(t)
  const rivals = [startInChild(), startInChild()]
  const said = await Promise.all(rivals.map((rival) => rival.said))
  const [winner, second] = said.filter(({ pids }) => pids !== undefined)
  assert.ok(winner !== undefined && second === undefined, JSON.stringify(said))
  assert.equal(said.find(({ pids }) => pids === undefined)?.code, 'HOME_IN_USE')
  await remember(winner, 'kept')
})

// Nothing gets the chance to stop the servers: they run on until the next start.
test('after kill -9 of the parent the next start ends what was left over and finds all data', async (t) => {
  const { start, startInChild, log } = scratch(t)
  const parent = startInChild()
  const first = await parent.said
  await remember(first, 'before the kill')
  parent.process.kill('SIGKILL')
  await once(parent.process, 'exit')
  const leftOver = first.pids ?? []
  assert.ok(!leftOver.some((pid) => identify(pid) === null), 'they survive their parent')

  const next = await start()
  assert.deepEqual(await remembered(next), ['before the kill'])
  assert.ok(gone(leftOver), 'none is left of the first start')
  assert.equal(log.filter((line) => line.includes('left behind')).length, 2, log.join('\n'))
})

test('a server that dies is started again at the same address with its data, and that is told', async (t) => {
  const { start, log } = scratch(t)
  const embedded = await start()
  await remember(embedded, 'before the deaths')
  const before = embedded.pids
  for (const pid of before) process.kill(pid, 'SIGKILL')
  const renewed = (): boolean => !embedded.pids.some((pid) => before.includes(pid))
  await waitUntil(renewed, { what: 'both servers to run again', timeoutMs: 30_000 })
  assert.deepEqual(await remembered(embedded), ['before the deaths'])
  for (const name of ['redis-server', 'postgres']) {
    assert.ok(
      log.some((line) => line.startsWith(`${name} (process`) && line.includes('SIGKILL')),
      log.join('\n'),
    )
  }
})

test('a stop while a dead server is being started again leaves no process', async (t) => {
  const { home, start } = scratch(t)
  const embedded = await start(REDIS_ONLY)
  const [before] = embedded.pids
  process.kill(before ?? 0, 'SIGKILL')
  await waitUntil(() => gone([before ?? 0]))
  await embedded.stop()
  assert.ok(gone(embedded.pids))
  assert.ok(!existsSync(join(home, 'redis/process.json')))
})
