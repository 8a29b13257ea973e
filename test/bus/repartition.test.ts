import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createKeys } from '#src/bus/keys.ts'
import { busWorld, eventOf, PARTITIONS } from '#test/contract/bus-world.ts'

const change = { withinMs: 1_000, knownEpoch: 0, onDrained: async () => {} }

test('a change that was left behind is taken over by the next one, once its time is over', async (t) => {
  const { bus, redis, prefix } = await busWorld(t)
  const layout = createKeys(prefix).layout()
  await redis.hset(layout, { changing: 2, changingUntil: Date.now() + 60_000 })
  await assert.rejects(bus.repartition({ ...change, to: 3 }), { code: 'REPARTITION_FAILED' })
  await redis.hset(layout, { changingUntil: Date.now() - 1 })
  const done = await bus.repartition({ ...change, to: 3 })
  assert.deepEqual(
    { to: done.to, epoch: done.epoch },
    { to: 3, epoch: 3 },
    'the epoch of the other one is not used again',
  )
  await bus.producer().append([eventOf('after')])
})

test('the epoch of a change is above what Postgres knows', async (t) => {
  const { bus } = await busWorld(t)
  assert.equal((await bus.repartition({ ...change, to: 3, knownEpoch: 7 })).epoch, 8)
})

test('a later layout that Postgres remembers holds, for processes that start and for those that run', async (t) => {
  const { bus, open } = await busWorld(t)
  const running = bus.producer()
  await running.append([eventOf('before')])
  const started = await open({ partitions: null, knownLayout: { partitions: 3, epoch: 5 } })
  assert.equal(started.partitions, 3)
  await started.producer().append([eventOf('of the one', 2)])
  await running.append([eventOf('of the other', 2)])
  assert.equal(bus.partitions, 3)
})

test('an older layout that Redis comes back with is not believed', async (t) => {
  const { bus, redis, prefix } = await busWorld(t)
  const keys = createKeys(prefix)
  await bus.repartition({ ...change, to: 3 })
  await redis.hset(keys.layout(), { partitions: PARTITIONS, epoch: 1 })
  for (let i = 0; i < PARTITIONS; i++) await redis.hset(keys.state(i), 'layout', 1)
  await bus.layout.refresh()
  const { entries } = await bus.producer().append([eventOf('one', 2), eventOf('another')])
  assert.deepEqual(entries.map(({ partition }) => partition).sort(), [0, 2])
  assert.equal(await redis.hget(keys.layout(), 'partitions'), '3')
})

test('one epoch with two numbers is refused', async (t) => {
  const { open } = await busWorld(t)
  await assert.rejects(open({ partitions: null, knownLayout: { partitions: 5, epoch: 1 } }), {
    code: 'LAYOUT_CONTRADICTED',
  })
})

test('appends go on when Redis has lost that a change was begun', async (t) => {
  const { bus, redis, prefix } = await busWorld(t)
  for (let i = 0; i < PARTITIONS; i++) await redis.hset(createKeys(prefix).state(i), 'layout', 2)
  await bus.producer().append([eventOf('one')])
  assert.deepEqual([bus.partitions, bus.layout.current.epoch], [PARTITIONS, 3])
})

test('a change of which the last step fails is given up: the number stays, and appends go on', async (t) => {
  const { bus } = await busWorld(t)
  const onDrained = () => Promise.reject(new Error('Postgres went away'))
  await assert.rejects(bus.repartition({ ...change, to: 3, onDrained }))
  await bus.producer().append([eventOf('after')])
  assert.equal(bus.partitions, PARTITIONS)
})

test('what was read before a change is not held against what came after it', async (t) => {
  const { bus, open } = await busWorld(t)
  const producer = bus.producer()
  const read = { aggregate: 'order.1', expected: 1, epoch: producer.layoutEpoch() }
  const known = { aggregates: ['order.2'], known: { last: null, epoch: read.epoch } }
  await producer.appendExpecting([eventOf('the first')], { ...read, expected: 0 })
  await producer.appendExpecting([eventOf('of the faster one')], read)
  await producer.appendDecision([eventOf('of the faster one')], known)
  await open({ partitions: null, knownLayout: { partitions: 3, epoch: 5 } })
  // Once it is turned back, and once it knows of the change.
  for (const expected of [1, 2])
    assert.deepEqual(await producer.appendExpecting([eventOf('late')], { ...read, expected }), { actual: null })
  assert.equal(await producer.appendDecision([eventOf('late')], known), null)
  const again = { ...read, epoch: producer.layoutEpoch(), expected: 2 }
  assert.ok(!('actual' in (await producer.appendExpecting([eventOf('decided again')], again))))
})
