import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { ready } from '#src/bus/connection.ts'
import { type Bus, createBus, type EntryId, formatEntryId, PERSISTER } from '#src/bus/index.ts'
import { createKeys } from '#src/bus/keys.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'
import { waitUntil } from '#test/wait-until.ts'
import { type TestScope, world } from '#test/world.ts'

const NOTHING: ReadonlyMap<string, EntryId> = new Map()

async function place(t: TestScope) {
  const { redisUrl, prefix, defer } = await world(t)
  const bus: Bus = await createBus({
    url: redisUrl,
    prefix,
    partitions: 2,
    durableGroups: [PERSISTER],
    allowEviction: false,
    dedupWindowMs: 60_000,
    dedupMaxIds: 1_000,
    holdBacklogEvents: 1_000,
    maxBacklogEvents: 2_000,
    holdMs: 100,
    log: createLog('silent'),
    metrics: createMetrics({ defaults: false }),
  })
  defer(() => bus.close())
  const producer = bus.producer()
  const redis = bus.connection('test')
  await ready(redis, 5_000)
  /** One entry of so many events. */
  const append = async (partition: number, events: number): Promise<EntryId> => {
    const encoded = Array.from({ length: events }, () => ({
      id: randomUUID(),
      keyHash: partition,
      occurredMs: 0,
      day: 0,
      record: Buffer.from('x'.repeat(100)),
    }))
    const { entries } = await producer.append(encoded)
    return entries[0]?.id ?? assert.fail()
  }
  return { bus, redis, keys: createKeys(prefix), append, look: bus.inspector.look }
}

test('a partition that nobody wrote to is empty and held by nobody', async (t) => {
  const { look } = await place(t)
  assert.deepEqual(await look(0, NOTHING), {
    partition: 0,
    entries: 0,
    bytes: 0,
    firstId: null,
    lastId: null,
    events: 0,
    heldBy: null,
    groups: [],
  })
})

test('a stream is held by the durable group until that has been there once', async (t) => {
  const { look, append } = await place(t)
  const [first, last] = [await append(1, 3), await append(1, 2)]
  const { bytes, ...view } = await look(1, NOTHING)
  assert.ok(bytes > 500, `${bytes} bytes`)
  assert.deepEqual(view, {
    partition: 1,
    entries: 2,
    firstId: formatEntryId(first),
    lastId: formatEntryId(last),
    events: 5,
    heldBy: PERSISTER,
    groups: [],
  })
})

test('lag counts what is not applied, in entries, events and time, from the checkpoint on', async (t) => {
  const { bus, look, append } = await place(t)
  const reader = bus.reader(PERSISTER)
  await waitUntil(async () => reader.ensure(0, { ms: 0, seq: 0 }))
  const [first] = [await append(0, 3), await append(0, 2)]
  const group = async (at: EntryId) => (await look(0, new Map([[PERSISTER, at]]))).groups[0] ?? assert.fail()

  const never = await group({ ms: 0, seq: 0 })
  assert.ok(never.lagMs >= 0)
  assert.deepEqual(
    { ...never, lagMs: 0 },
    { name: PERSISTER, owner: null, missing: false, pending: 0, lagEntries: 2, lagEvents: 5, lagMs: 0 },
  )

  const [one, two] = await reader.readNew([0], 1_000_000, 10)
  assert.ok(one && two)
  assert.deepEqual(
    [(await group({ ms: 0, seq: 0 })).pending, (await group({ ms: 0, seq: 0 })).lagEntries],
    [2, 2],
    'delivered is not applied',
  )
  await bus.announce(PERSISTER, [{ partition: 0, ids: [formatEntryId(one.id)], done: 3, generation: one.generation }])
  const half = await group(first)
  assert.deepEqual([half.pending, half.lagEntries, half.lagEvents], [1, 1, 2])
  await bus.announce(PERSISTER, [{ partition: 0, ids: [formatEntryId(two.id)], done: 5, generation: two.generation }])
  const done = await group(two.id)
  assert.deepEqual([done.pending, done.lagEntries, done.lagEvents, done.lagMs], [0, 0, 0, 0])
})

test('the time lag is the age of the oldest entry that waits', async (t) => {
  const { redis, keys, look } = await place(t)
  const stream = keys.stream(0)
  const agoMs = Date.now() - 3_600_000
  for (const id of [`${agoMs}-9`, `${agoMs}-10`, '*']) await redis.xadd(stream, id, 'kind', 'events')
  await redis.xgroup('CREATE', stream, 'slow', '0')
  const lagMs = async (at: EntryId) => (await look(0, new Map([['slow', at]]))).groups[0]?.lagMs ?? -1
  assert.ok((await lagMs({ ms: 0, seq: 0 })) >= 3_600_000)
  assert.ok((await lagMs({ ms: agoMs, seq: 9 })) >= 3_600_000, '9 comes before 10')
  assert.ok((await lagMs({ ms: agoMs, seq: 10 })) < 600_000)
})

test('who holds back trimming is the group that needs the oldest entry, compared as integers', async (t) => {
  const { redis, keys, look } = await place(t)
  const stream = keys.stream(0)
  for (const id of ['5-9', '5-20', '5-100']) await redis.xadd(stream, id, 'kind', 'events')
  await redis.xgroup('CREATE', stream, PERSISTER, '5-20')
  await redis.xgroup('CREATE', stream, 'other', '5-9')
  assert.equal((await look(0, NOTHING)).heldBy, 'other')
  await redis.xreadgroup('GROUP', 'other', 'owner', 'COUNT', 2, 'STREAMS', stream, '>')
  assert.equal((await look(0, NOTHING)).heldBy, 'other', 'what is delivered and not acknowledged is needed')
  await redis.xack(stream, 'other', '5-20', '5-100')
  assert.equal((await look(0, NOTHING)).heldBy, PERSISTER)
  await redis.xgroup('SETID', stream, PERSISTER, '5-100')
  assert.equal((await look(0, NOTHING)).heldBy, null)
  const restored = new Map([['other', { ms: 5, seq: 9 }]])
  assert.equal((await look(0, restored)).heldBy, 'other', 'its checkpoint is behind what it has acknowledged')
})

test('owners are those who hold the lease, and a group that Redis has lost is told to be missing', async (t) => {
  const { bus, look, append } = await place(t)
  await append(0, 4)
  await bus.leases('gone', 'me', 60_000).hold(0)
  const { groups } = await look(0, new Map([['gone', { ms: 1, seq: 0 }]]))
  assert.deepEqual(groups, [
    { name: 'gone', owner: 'me', missing: true, pending: 0, lagEntries: null, lagEvents: 4, lagMs: 0 },
  ])
})

test('a measure of a stream has its entries and its bytes', async (t) => {
  const { bus, append } = await place(t)
  assert.deepEqual(await bus.inspector.measure(0), { entries: 0, bytes: 0 })
  await append(0, 5)
  const { entries, bytes } = await bus.inspector.measure(0)
  assert.equal(entries, 1)
  assert.ok(bytes > 500)
})

test('a group is forgotten in every partition, unless a process still owns one', async (t) => {
  const { bus, redis, keys, look, append } = await place(t)
  const reader = bus.reader('old')
  for (const partition of [0, 1]) {
    await append(partition, 1)
    await waitUntil(async () => reader.ensure(partition, { ms: 0, seq: 0 }))
    const [entry] = await reader.readNew([partition], 1_000, 10)
    assert.ok(entry)
    const commit = { partition, ids: [formatEntryId(entry.id)], done: 1, generation: entry.generation }
    await bus.announce('old', [commit])
  }
  const leases = bus.leases('old', 'me', 60_000)
  await leases.hold(1)
  assert.deepEqual(await bus.inspector.forget('old'), { owner: 'me' })
  await leases.release(1)
  assert.equal((await bus.inspector.forget('old')).owner, null)
  for (const partition of [0, 1]) {
    assert.deepEqual((await look(partition, NOTHING)).groups, [])
    assert.equal(await redis.hget(keys.state(partition), 'done:old'), null)
    assert.equal(await redis.hget(keys.state(partition), 'count'), '1', 'the events are counted as before')
  }
  assert.deepEqual(await bus.inspector.forget('old'), { owner: null, partitions: 0 })
})

test('the members of a group are its live processes', async (t) => {
  const { bus } = await place(t)
  assert.deepEqual(await bus.inspector.members('persister'), [])
  await bus.leases('persister', 'b', 60_000).join(0)
  await bus.leases('persister', 'a', 60_000).join(0)
  await bus.leases('persister', 'dead', 1).join(0)
  await new Promise((resolve) => setTimeout(resolve, 10))
  assert.deepEqual(await bus.inspector.members('persister'), ['a', 'b'])
})
