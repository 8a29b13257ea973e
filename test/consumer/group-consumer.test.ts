import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { takeCheckpoint } from '#src/store/checkpoint.ts'
import { createStore } from '#src/store/pool.ts'
import { startProxy } from '../servers/proxy.ts'
import { waitUntil } from '../wait-until.ts'
import { type TestScope, type World, world } from '../world.ts'
import { GROUP, type NumberedWorld, numberedHandler, openNumberedWorld, runNumberedConsumer } from './numbered-group.ts'

const handler = numberedHandler({ order: 'loose', before: () => {} })
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

async function open(t: TestScope, partitions = 2): Promise<{ place: World; numbered: NumberedWorld; redis: Redis }> {
  const place = await world(t)
  const numbered = await openNumberedWorld(place, partitions)
  place.defer(() => numbered.close())
  const redis = new Redis(place.redisUrl)
  place.defer(() => redis.disconnect())
  return { place, numbered, redis }
}

test('consumers that come and go apply every event once and in order', async (t) => {
  const { place, numbered } = await open(t, 8)
  const resources = range(0, 10).map((i) => `r.${i}`)
  const first = runNumberedConsumer(numbered, handler)
  place.defer(() => first.stop())
  const round = async (n: number) => {
    for (const resource of resources) await numbered.append(resource, range(n * 10, n * 10 + 10))
  }
  await round(0)
  const second = runNumberedConsumer(numbered, handler)
  place.defer(() => second.stop())
  await round(1)
  await waitUntil(() => second.health().owned.length === 4 && first.health().owned.length === 4)
  await round(2)
  await first.stop()
  await round(3)
  await waitUntil(() => second.health().owned.length === 8)
  await round(4)
  const third = runNumberedConsumer(numbered, handler)
  place.defer(() => third.stop())
  await round(5)
  for (const resource of resources) {
    await waitUntil(async () => (await numbered.applied(resource)).length >= 60, { what: `${resource} to be whole` })
    assert.deepEqual(await numbered.applied(resource), range(0, 60))
  }
})

test('what comes alone is not kept waiting for company', async (t) => {
  const { place, numbered } = await open(t)
  const consumer = runNumberedConsumer(numbered, handler, { lingerMs: 60_000 })
  place.defer(() => consumer.stop())
  await numbered.append('r.1', [0])
  await waitUntil(async () => (await numbered.applied('r.1')).length === 1)
})

test('an owner whose epoch is over changes nothing, and gets its partitions anew', async (t) => {
  const { place, numbered } = await open(t)
  const consumer = runNumberedConsumer(numbered, handler)
  place.defer(() => consumer.stop())
  await numbered.append('r.1', range(0, 5))
  await waitUntil(async () => (await numbered.applied('r.1')).length === 5)
  for (const partition of [0, 1]) await takeCheckpoint(numbered.store.hot, GROUP, partition)
  await numbered.append('r.1', range(5, 10))
  await waitUntil(async () => (await numbered.applied('r.1')).length >= 10)
  assert.deepEqual(await numbered.applied('r.1'), range(0, 10))
  const { rows } = await numbered.store.hot.query('select max(owner_epoch)::int4 as epoch from checkpoint')
  assert.equal(rows[0]?.epoch, 3)
})

test('what a stale owner was given last is found, though nothing comes after it', async (t) => {
  const { place, numbered, redis } = await open(t, 1)
  const consumer = runNumberedConsumer(numbered, handler)
  place.defer(() => consumer.stop())
  await numbered.append('r.1', [0])
  await waitUntil(async () => (await numbered.applied('r.1')).length === 1)
  // The same entry once more, read in the same step under the owner's name, so that the owner is not told of it.
  const stream = numbered.bus.keys.stream(0)
  const stolen = await redis.eval(
    `local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][2]
     for i = 1, #last, 2 do if last[i] == 'first' then last[i + 1] = tostring(tonumber(last[i + 1]) + 1) end end
     redis.call('XADD', KEYS[1], '*', unpack(last))
     return redis.call('XREADGROUP', 'GROUP', ARGV[1], 'owner', 'STREAMS', KEYS[1], '>')`,
    1,
    stream,
    GROUP,
  )
  assert.ok(stolen)
  await waitUntil(async () => (await numbered.applied('r.1')).length === 2, { what: 'the stolen entry to be applied' })
  await waitUntil(async () => Number((await redis.xpending(stream, GROUP))[0]) === 0)
})

test('what a stale owner was given comes before what a new owner, or one that went back, is given first', async (t) => {
  const { place, numbered, redis } = await open(t, 1)
  const { bus, store } = numbered
  const reader = bus.reader(GROUP)
  const stream = bus.keys.stream(0)
  let [isToSteal, isToFail, sent] = [true, false, 0]
  const readNew: typeof reader.readNew = async (...given) => {
    if (isToFail) {
      isToFail = false
      isToSteal = true
      throw new Error('the connection is lost')
    }
    if (isToSteal) {
      isToSteal = false
      await numbered.append('r.1', [sent++])
      assert.ok(await redis.xreadgroup('GROUP', GROUP, 'owner', 'STREAMS', stream, '>'))
      await numbered.append('r.1', [sent++])
    }
    return reader.readNew(...given)
  }
  const consumer = runNumberedConsumer({ bus: { ...bus, reader: () => ({ ...reader, readNew }) }, store }, handler)
  place.defer(() => consumer.stop())
  for (const count of [2, 4, 6]) {
    await waitUntil(async () => (await numbered.applied('r.1')).at(-1) === count - 1)
    assert.deepEqual(await numbered.applied('r.1'), range(0, count))
    isToFail = true
  }
})

test('a group that is set back applies nothing twice and leaves nothing pending', async (t) => {
  const { place, numbered, redis } = await open(t, 1)
  const consumer = runNumberedConsumer(numbered, handler)
  place.defer(() => consumer.stop())
  for (const number of range(0, 20)) await numbered.append('r.1', [number])
  await waitUntil(async () => (await numbered.applied('r.1')).length === 20)
  const stream = numbered.bus.keys.stream(0)
  await redis.xgroup('SETID', stream, GROUP, '0')
  await numbered.append('r.1', range(20, 25))
  await waitUntil(async () => (await numbered.applied('r.1')).length >= 25)
  await waitUntil(async () => Number((await redis.xpending(stream, GROUP))[0]) === 0)
  assert.deepEqual(await numbered.applied('r.1'), range(0, 25))
})

test('a connection that Postgres ends is nothing but a pause', async (t) => {
  const { place, numbered } = await open(t)
  const consumer = runNumberedConsumer(numbered, handler)
  place.defer(() => consumer.stop())
  for (let round = 0; round < 5; round++) {
    await numbered.append('r.1', range(round * 10, round * 10 + 10))
    await numbered.store.hot
      .query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
      )
      .catch(() => {})
  }
  await waitUntil(async () => (await numbered.applied('r.1')).length >= 50)
  assert.deepEqual(await numbered.applied('r.1'), range(0, 50))
})

test('what commits while the reading recovers is not taken for lost', async (t) => {
  const { place, numbered, redis } = await open(t, 1)
  const { bus, store } = numbered
  let [isHeld, isCut] = [false, false]
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const reader = bus.reader(GROUP)
  const ensure: typeof reader.ensure = async (...given) => {
    if (isHeld) await held
    return reader.ensure(...given)
  }
  const readNew: typeof reader.readNew = async (...given) => {
    const entries = await reader.readNew(...given)
    if (isCut) throw new Error('the connection is lost')
    return entries
  }
  const slow = { ...bus, reader: () => ({ ...reader, ensure, readNew }) }
  const consumer = runNumberedConsumer({ bus: slow, store }, handler)
  place.defer(() => consumer.stop())
  place.defer(() => release())
  await numbered.append('r.1', range(0, 5))
  await waitUntil(async () => (await numbered.applied('r.1')).length === 5)

  const blocker = await store.hot.connect()
  await blocker.query('begin; lock table numbered in exclusive mode')
  await numbered.append('r.1', range(5, 8))
  const blocked = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  await waitUntil(async () => (await store.hot.query(blocked)).rowCount === 1, { what: 'the batch to wait' })
  isHeld = true // from here on a look at Redis sees what comes below
  isCut = true
  await new Promise((resolve) => setTimeout(resolve, 1_500)) // time in which a checkpoint could be read that is soon old
  isCut = false
  await blocker.query('commit')
  blocker.release()
  await waitUntil(async () => (await numbered.applied('r.1')).length === 8)
  const stream = bus.keys.stream(0)
  await waitUntil(async () => Number((await redis.xpending(stream, GROUP))[0]) === 0)
  await redis.xtrim(stream, 'MAXLEN', 0) // as the janitor does with what every group has applied
  release()
  await new Promise((resolve) => setTimeout(resolve, 500)) // time for the look at Redis
  await numbered.append('r.1', [8])
  await waitUntil(async () => (await numbered.applied('r.1')).length === 9)
  assert.deepEqual(await numbered.applied('r.1'), range(0, 9))
  const { rows } = await store.hot.query('select cause, events from loss')
  assert.deepEqual(rows, [])
})

test('a Postgres that falls silent for good is seen and given up; what was under way is applied once it can be', async (t) => {
  const { place, numbered } = await open(t, 1)
  const proxy = await startProxy(t, place.databaseUrl)
  const store = await createStore({ url: proxy.url, timeoutMs: 200, connectTimeoutMs: 200, poolSize: 2 })
  place.defer(() => store.close())
  const consumer = runNumberedConsumer({ bus: numbered.bus, store }, handler, { timeoutMs: 200 })
  place.defer(() => consumer.stop())
  await numbered.append('r.1', range(0, 5))
  await waitUntil(async () => (await numbered.applied('r.1')).length === 5)
  proxy.silence()
  await numbered.append('r.1', range(5, 10))
  const trouble = await waitUntil(() => consumer.health().trouble, { timeoutMs: 20_000 })
  assert.match(trouble, /said nothing|timeout|terminated/i)
  proxy.resume() // for new connections: those that were silent are gone
  await waitUntil(async () => (await numbered.applied('r.1')).length >= 10, { timeoutMs: 20_000 })
  assert.deepEqual(await numbered.applied('r.1'), range(0, 10))
  await waitUntil(() => consumer.health().trouble === null)
})

test('a consumer that neither applies anything nor finds that there is nothing to do says that it hangs', async (t) => {
  const { place, numbered } = await open(t, 1)
  const { bus, store } = numbered
  const reader = bus.reader(GROUP)
  const held = Promise.withResolvers<void>()
  let isHeld = false
  const readNew: typeof reader.readNew = async (...given) => {
    if (isHeld) await held.promise
    return reader.readNew(...given)
  }
  const consumer = runNumberedConsumer({ bus: { ...bus, reader: () => ({ ...reader, readNew }) }, store }, handler, {
    timeoutMs: 100,
  })
  place.defer(async () => {
    held.resolve()
    await consumer.stop()
  })
  await numbered.append('r.1', [0])
  await waitUntil(async () => (await numbered.applied('r.1')).length === 1)
  assert.equal(consumer.health().trouble, null)
  isHeld = true
  const trouble = await waitUntil(() => consumer.health().trouble, { timeoutMs: 40_000 })
  assert.match(trouble, /nothing was applied for 1\d s/)
})
