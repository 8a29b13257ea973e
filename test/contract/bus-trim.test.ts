import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitUntil } from '#test/wait-until.ts'
import { type BusWorld, busWorld } from './bus-world.ts'

/** Long ago by the clock of Redis, so that no grace holds them. */
async function put({ bus, redis }: BusWorld, ...ids: string[]): Promise<void> {
  for (const id of ids) await redis.xadd(bus.keys.stream(0), id, 'kind', 'test')
}

async function readAs({ bus, redis }: BusWorld, group: string, count: number): Promise<string[]> {
  const reply = await redis.xreadgroup('GROUP', group, 'owner', 'COUNT', count, 'STREAMS', bus.keys.stream(0), '>')
  const [stream] = (reply ?? []) as [string, [string, string[]][]][]
  return (stream?.[1] ?? []).map(([id]) => id)
}

async function left({ bus, redis }: BusWorld): Promise<string[]> {
  return (await redis.xrange(bus.keys.stream(0), '-', '+')).map(([id]) => id)
}

/** Trims until nothing more goes. Redis removes whole nodes only, so each entry gets one of its own. */
async function trimAll(place: BusWorld): Promise<string[]> {
  await place.bus.trim(0, 0, 10_000)
  return left(place)
}

async function withNodesOfOne(place: BusWorld, run: () => Promise<void>): Promise<void> {
  const [, before] = (await place.redis.config('GET', 'stream-node-max-entries')) as [string, string]
  await place.redis.config('SET', 'stream-node-max-entries', 1)
  try {
    await run()
  } finally {
    await place.redis.config('SET', 'stream-node-max-entries', before)
  }
}

test('nothing is trimmed that a group has not acknowledged, comparing ids as numbers', async (t) => {
  const place = await busWorld(t)
  const { bus, redis } = place
  await withNodesOfOne(place, async () => {
    await put(place, '5-8', '5-9', '5-20', '5-100', '10-1')
    for (const group of ['persister', 'other']) await redis.xgroup('CREATE', bus.keys.stream(0), group, '0')
    assert.deepEqual(await readAs(place, 'persister', 3), ['5-8', '5-9', '5-20'])
    assert.deepEqual(await readAs(place, 'other', 5), ['5-8', '5-9', '5-20', '5-100', '10-1'])
    await redis.xack(bus.keys.stream(0), 'persister', '5-8', '5-20') // 5-9 is pending
    await redis.xack(bus.keys.stream(0), 'other', '5-8', '5-9', '10-1') // 5-20 is the oldest pending
    const kept = await trimAll(place)
    assert.ok(kept.includes('5-9'), 'an entry that a group still needs was trimmed')
    assert.deepEqual(kept, ['5-9', '5-20', '5-100', '10-1'])
    await redis.xack(bus.keys.stream(0), 'persister', '5-9') // it has read up to 5-20
    assert.deepEqual(await trimAll(place), ['5-20', '5-100', '10-1'], 'other has 5-20 pending')
    await redis.xack(bus.keys.stream(0), 'other', '5-20', '5-100')
    assert.deepEqual(await trimAll(place), ['5-100', '10-1'], 'an entry that a group still needs was trimmed')
  })
})

test('what a group has acknowledged beyond its checkpoint stays', async (t) => {
  const place = await busWorld(t)
  const { bus, redis } = place
  await withNodesOfOne(place, async () => {
    await put(place, '5-8', '5-9', '5-20', '10-1')
    await redis.xgroup('CREATE', bus.keys.stream(0), 'persister', '0')
    await readAs(place, 'persister', 4)
    await redis.xack(bus.keys.stream(0), 'persister', '5-8', '5-9', '5-20', '10-1')
    const checkpoint = { group: 'persister', ms: 5, seq: 9 } // Postgres came back with an older state
    assert.equal((await bus.trim(0, 0, 10_000, [checkpoint, { group: 'gone', ms: 1, seq: 0 }])).heldBy, 'persister')
    assert.deepEqual(await left(place), ['5-20', '10-1'], 'an entry that the checkpoint does not know of was trimmed')
    await bus.trim(0, 0, 10_000, [{ group: 'persister', ms: 10, seq: 1 }])
    assert.deepEqual(await left(place), [])
  })
})

test('a group that never read holds everything', async (t) => {
  const place = await busWorld(t)
  await withNodesOfOne(place, async () => {
    await put(place, '5-1', '5-2')
    await place.redis.xgroup('CREATE', place.bus.keys.stream(0), 'persister', '$')
    await place.redis.xgroup('CREATE', place.bus.keys.stream(0), 'idle', '0')
    const { removed, heldBy } = await place.bus.trim(0, 0, 10_000)
    assert.equal(removed, 0)
    assert.equal(heldBy, 'idle')
    assert.deepEqual(await left(place), ['5-1', '5-2'])
  })
})

test('without the group that has to be there nothing is trimmed', async (t) => {
  const place = await busWorld(t)
  await withNodesOfOne(place, async () => {
    await put(place, '5-1', '5-2')
    await place.redis.xgroup('CREATE', place.bus.keys.stream(0), 'other', '$')
    assert.equal((await place.bus.trim(0, 0, 10_000)).heldBy, 'persister')
    assert.deepEqual(await left(place), ['5-1', '5-2'])
  })
})

test('entries of the last moments stay for live readers', async (t) => {
  const place = await busWorld(t)
  const { bus, redis } = place
  await withNodesOfOne(place, async () => {
    await put(place, '5-1', '*')
    await redis.xgroup('CREATE', bus.keys.stream(0), 'persister', '$')
    await bus.trim(0, 60_000, 10_000)
    assert.equal((await left(place)).length, 1)
    await waitUntil(async () => {
      await bus.trim(0, 0, 10_000)
      return (await left(place)).length === 0
    })
  })
})
