/** What the bus promises of appending, reading and owning. The same on every kind of Redis is in `every-kind.test.ts`. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { type BusLoss, type DecidedAt, type Entry, type EntryId, type GroupReader, recordsOf } from '#src/bus/index.ts'
import { waitUntil } from '#test/wait-until.ts'
import { type BusWorld, busWorld, eventOf, readAll } from './bus-world.ts'

const START = { ms: 0, seq: 0 }

test('what one call appends to a partition is one entry, in the order given', async (t) => {
  const place = await busWorld(t)
  const { duplicates, entries } = await place.bus.producer().append([eventOf('a'), eventOf('b', 1), eventOf('c')])
  assert.equal(duplicates.size, 0)
  assert.deepEqual(entries.map(({ partition }) => partition).sort(), [0, 1])
  assert.deepEqual(await readAll(place, 0), [['a', 'c']])
  assert.deepEqual(await readAll(place, 1), [['b']])
})

test('many calls at once keep the order in which they were made', async (t) => {
  const place = await busWorld(t)
  const producer = place.bus.producer()
  const texts = Array.from({ length: 3_000 }, (_, i) => String(i))
  await Promise.all(texts.map((text) => producer.append([eventOf(text)])))
  const entries = await readAll(place, 0)
  assert.deepEqual(entries.flat(), texts)
  assert.ok(entries.length < 100, `calls share entries: ${entries.length}`)
})

test('an id seen before is dropped: within a call, in another call, from another process', async (t) => {
  const place = await busWorld(t)
  const [one, other] = [place.bus.producer(), (await place.open()).producer()]
  const [id, second] = [randomUUID(), randomUUID()]
  const first = await one.append([eventOf('a', 0, id), eventOf('again', 0, id), eventOf('b', 0, second)])
  assert.deepEqual([...first.duplicates], [1])
  const later = await other.append([eventOf('c'), eventOf('again', 0, id), eventOf('d'), eventOf('again', 0, second)])
  assert.deepEqual([...later.duplicates], [1, 3])
  const all = await other.append([eventOf('again', 0, id)])
  assert.deepEqual([...all.duplicates], [0])
  assert.deepEqual(all.entries, [{ partition: 0, id: null }])
  assert.deepEqual(await readAll(place), [
    ['a', 'b'],
    ['c', 'd'],
  ])
})

test('one of two calls with the same ids at the same time wins whole', async (t) => {
  const place = await busWorld(t)
  const producers = [place.bus.producer(), (await place.open()).producer()]
  const events = Array.from({ length: 500 }, (_, i) => eventOf(String(i), i % 2))
  const results = await Promise.all(producers.map((producer) => producer.append(events)))
  assert.equal(
    results.reduce((sum, { duplicates }) => sum + duplicates.size, 0),
    events.length,
  )
  assert.equal([...(await readAll(place, 0)), ...(await readAll(place, 1))].flat().length, events.length)
})

test('an id is remembered for at least a window, over the turn of the two sets, and then forgotten', async (t) => {
  const dedupWindowMs = 300
  const place = await busWorld(t, { dedupWindowMs })
  const producer = place.bus.producer()
  const id = randomUUID()
  const began = performance.now()
  await producer.append([eventOf('a', 0, id)])
  const forgotten = await waitUntil(async () => {
    const { duplicates } = await producer.append([eventOf('a', 0, id)])
    return duplicates.size === 0
  })
  assert.ok(forgotten)
  assert.ok(performance.now() - began >= dedupWindowMs, 'it was forgotten before the window was over')
})

test('memory for ids is bounded by number', async (t) => {
  const place = await busWorld(t, { dedupMaxIds: 1 }) // at least 1,000 in each set
  const producer = place.bus.producer()
  for (let i = 0; i < 5; i++) await producer.append(Array.from({ length: 1_000 }, () => eventOf('x')))
  const sizes = await Promise.all((['a', 'b'] as const).map((side) => place.redis.scard(place.bus.keys.seen(0, side))))
  assert.ok(
    sizes.every((size) => size <= 2_000),
    String(sizes),
  )
})

test('the backlog is what the group has not applied yet, and commits shorten it', async (t) => {
  const place = await busWorld(t, { holdBacklogEvents: 3, maxBacklogEvents: 5 })
  const { bus } = place
  const producer = bus.producer()
  const reader = await readerAt(place, START)
  await producer.append([eventOf('a'), eventOf('b')])
  assert.equal(producer.pressure.state(), 'open')
  await producer.append([eventOf('c')])
  assert.equal(producer.pressure.state(), 'hold')
  await producer.append([eventOf('d'), eventOf('e')])
  assert.equal(producer.pressure.state(), 'refuse')
  assert.throws(() => producer.pressure.check(), { code: 'OVERLOADED' })
  const entries = await reader.readNew([0], 1e6, 0)
  const last = entries.at(-1)
  const ids = entries.map(({ id }) => `${id.ms}-${id.seq}`)
  await bus.announce('persister', [{ partition: 0, ids, done: 5, generation: last?.generation ?? '' }])
  await waitUntil(() => producer.pressure.state() === 'open')
  await bus.announce('persister', [{ partition: 0, ids, done: 0, generation: '' }]) // of entries found applied
  await bus.ping()
  assert.equal(producer.pressure.state(), 'open')
})

test('senders wait for the durable group that is furthest behind', async (t) => {
  const durableGroups = ['persister', 'recorder']
  const place = await busWorld(t, { holdBacklogEvents: 3, maxBacklogEvents: 5, durableGroups })
  const { bus } = place
  const producer = bus.producer()
  const first = await readerAt(place, START)
  await producer.append(['a', 'b', 'c', 'd', 'e'].map((text) => eventOf(text)))
  const entries = await first.readNew([0], 1e6, 0)
  const ids = entries.map(({ id }) => `${id.ms}-${id.seq}`)
  const commit = { partition: 0, ids, done: 5, generation: entries[0]?.generation ?? '' }
  await bus.announce('persister', [commit])
  await bus.ping()
  assert.equal(producer.pressure.state(), 'refuse')
  await bus.announce('recorder', [commit])
  await waitUntil(() => producer.pressure.state() === 'open')
})

test('an append that expects a version loses to one that came before it, and writes nothing', async (t) => {
  const place = await busWorld(t)
  const producer = place.bus.producer()
  const version = (expected: number) => ({ aggregate: 'order.1', expected, epoch: producer.layoutEpoch() })
  assert.ok(!('actual' in (await producer.appendExpecting([eventOf('a'), eventOf('b')], version(0)))))
  assert.deepEqual(await producer.appendExpecting([eventOf('late')], version(1)), { actual: 2 })
  const both = await Promise.all(['c', 'd'].map((text) => producer.appendExpecting([eventOf(text)], version(2))))
  assert.equal(both.filter((result) => 'actual' in result).length, 1)
  assert.equal((await readAll(place)).flat().length, 3)
})

test('a writer may say which version an aggregate has from then on, and anybody may ask for it', async (t) => {
  const producer = (await busWorld(t)).bus.producer()
  const [event, next, last] = [eventOf('a'), eventOf('b'), eventOf('c')]
  const order = { aggregate: 'order.1', epoch: producer.layoutEpoch() }
  assert.equal(await producer.versionOf(event.keyHash, 'order.1'), null)
  await producer.appendExpecting([event], { ...order, expected: 0, next: -1 })
  assert.equal(await producer.versionOf(event.keyHash, 'order.1'), -1)
  assert.deepEqual(await producer.appendExpecting([next], { ...order, expected: 1 }), { actual: -1 })
  assert.ok(!('actual' in (await producer.appendExpecting([last], { ...order, expected: -1, next: 2 }))))
  assert.equal(await producer.versionOf(event.keyHash, 'order.1'), 2)
})

test('an append that expects a version may be asked for again, and tells that it was done', async (t) => {
  const place = await busWorld(t)
  const producer = place.bus.producer()
  const events = [eventOf('a'), eventOf('b')]
  const order = { aggregate: 'order.1', epoch: producer.layoutEpoch() }
  const append = () => producer.appendExpecting(events, { ...order, expected: 0 })
  await append()
  assert.deepEqual(await append(), { duplicates: new Set([0, 1]), entries: [{ partition: 0, id: null }] })
  await producer.appendExpecting([eventOf('c')], { ...order, expected: 2 })
  assert.deepEqual((await append()) as object, { duplicates: new Set([0, 1]), entries: [{ partition: 0, id: null }] })
  assert.equal((await readAll(place)).flat().length, 3)
})

test('of decisions on one thing each knows of the one before, unless it holds whatever was decided', async (t) => {
  const place = await busWorld(t)
  const producer = place.bus.producer()
  const decide = (text: string, last?: DecidedAt | null) =>
    producer.appendDecision([eventOf(text)], {
      aggregates: ['order.1', 'order.2'],
      ...(last !== undefined && { known: { last, epoch: producer.layoutEpoch() } }),
    })
  const lastOf = (aggregate: string) => producer.lastDecision(eventOf('').keyHash, aggregate)
  assert.equal(await lastOf('order.1'), null)
  const first = (await decide('a', null))?.entries[0]
  assert.deepEqual([await lastOf('order.1'), await lastOf('order.2')], [first, first])
  assert.equal(await decide('late', null), null)
  const both = await Promise.all(['b', 'c'].map((text) => decide(text, first as DecidedAt)))
  assert.equal(both.filter((result) => result === null).length, 1)
  assert.ok((await decide('d')) !== null)
  assert.equal((await readAll(place)).flat().length, 3)
})

test('a group made later reads from where it is put, never from the end', async (t) => {
  const place = await busWorld(t)
  const producer = place.bus.producer()
  const { entries } = await producer.append([eventOf('a')])
  await producer.append([eventOf('b')])
  for (const [group, at, texts] of [
    ['late', START, ['a', 'b']],
    ['later', entries[0]?.id ?? START, ['b']],
  ] as const) {
    const reader = await readerAt(place, at, group)
    assertTexts(await reader.readNew([0], 1e6, 0), texts)
  }
})

test('what was read and not acknowledged is read again by who follows, in order, without what was acknowledged', async (t) => {
  const place = await busWorld(t)
  const { bus } = place
  const producer = bus.producer()
  for (const text of ['a', 'b', 'c']) await producer.append([eventOf(text)])
  const died = await readerAt(place, START)
  const read = await died.readNew([0], 1e6, 0)
  assert.equal(read.length, 3)
  const [first] = read
  const ids = [`${first?.id.ms}-${first?.id.seq}`]
  await bus.announce('persister', [{ partition: 0, ids, done: 1, generation: first?.generation ?? '' }])
  const follower = await readerAt({ bus: await place.open() }, first?.id ?? START) // by its checkpoint a is applied
  const { entries, gone } = await follower.readPending(0, START, 10)
  assertTexts(entries, ['b', 'c'])
  assert.deepEqual(gone, [])
})

test('pending entries that somebody removed are named', async (t) => {
  const place = await busWorld(t)
  const { bus, redis } = place
  const { entries } = await bus.producer().append([eventOf('a')])
  const reader = await readerAt(place, START)
  assert.equal((await reader.readNew([0], 1e6, 0)).length, 1)
  await redis.xtrim(bus.keys.stream(0), 'MAXLEN', 0)
  assert.deepEqual((await reader.readPending(0, START, 10)).gone, [entries[0]?.id])
})

test('bodies that are no events share entries, and are there once however often they are handed in', async (t) => {
  const place = await busWorld(t, { partitions: 3 })
  const producer = place.bus.producer()
  const rejections = Array.from({ length: 50 }, (_, i) => {
    const body = Buffer.from(i === 20 ? 'x'.repeat(2_000_000) : `body ${i}`)
    return { id: randomUUID(), reason: `reason ${i}`, body }
  })
  await producer.reject(rejections.slice(0, 10))
  await producer.reject(rejections.slice(0, 10))
  await producer.reject(rejections)
  await producer.reject(rejections)
  const entries = (await Promise.all([0, 1, 2].map((partition) => readAll(place, partition)))).flat()
  const reasons = entries.flat().map((text) => text.slice(0, text.indexOf('\x01')))
  const kept = ' (first 1500000 of 2000000 bytes kept)'
  assert.deepEqual(reasons.sort(), rejections.map(({ reason }, i) => (i === 20 ? reason + kept : reason)).sort())
  assert.equal(entries.length, 4, 'two lists, and the second in three parts for its large body')
})

test('an entry written by somebody else comes as rejected', async (t) => {
  const place = await busWorld(t)
  const reader = await readerAt(place, START)
  await place.redis.xadd(place.bus.keys.stream(0), '*', 'not', 'ours')
  const [entry] = await reader.readNew([0], 1e6, 0)
  assert.equal(entry?.kind, 'rejected')
})

test('after a flush, new ids are above what was applied, even if the clock went back', async (t) => {
  const place = await busWorld(t)
  const ahead = { ms: Date.now() + 3_600_000, seq: 7 }
  const losses: BusLoss[] = []
  await readerAt(place, ahead, 'persister', losses)
  assert.equal(losses[0]?.cause, 'flushed')
  const { entries } = await place.bus.producer().append([eventOf('a')])
  assert.deepEqual(entries[0]?.id, { ms: ahead.ms, seq: 8 })
})

test('a partition has one holder, until it lets go or its lease ends', async (t) => {
  const place = await busWorld(t)
  const [a, b] = [place.bus.leases('g', 'a', 60_000), place.bus.leases('g', 'b', 300)]
  assert.equal(await a.hold(0), true)
  assert.equal(await b.hold(0), false)
  assert.equal(await a.hold(0), true, 'the holder renews')
  await b.release(0)
  assert.equal(await b.hold(0), false, 'nobody releases what is not theirs')
  await a.release(0)
  assert.equal(await b.hold(0), true)
  await waitUntil(() => a.hold(0), { what: 'the lease of b to end' })
  assert.deepEqual(await a.join(1), ['a'])
  assert.deepEqual(await b.join(1), ['a', 'b'])
  assert.deepEqual(await b.join(2), ['b', 'a'], 'who has more is first')
  await waitUntil(async () => (await a.join(1)).length === 1, { what: 'b to be forgotten' })
  await a.leave()
  assert.deepEqual(await b.join(0), ['b'])
})

/** A reader whose group stands at a checkpoint; waits until it is connected. */
async function readerAt(
  { bus }: Pick<BusWorld, 'bus'>,
  at: EntryId,
  group = 'persister',
  losses: BusLoss[] = [],
): Promise<GroupReader> {
  const reader = bus.reader(group)
  await waitUntil(async () => {
    const { loss } = await reader.ensure(0, at, at.ms === 0 ? 0 : 100)
    if (loss !== null) losses.push(loss)
    return true
  })
  return reader
}

function assertTexts(entries: readonly Entry[], texts: readonly string[]): true {
  assert.deepEqual(
    entries.flatMap((entry) => [...recordsOf(entry)].map(String)),
    texts,
  )
  return true
}
