import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import type { GroupReader } from '#src/bus/index.ts'
import { waitUntil } from '../wait-until.ts'
import { type TestScope, world } from '../world.ts'
import { GROUP, numberedHandler, openNumberedWorld, runNumberedConsumer } from './numbered-group.ts'

type Look = ReturnType<GroupReader['ensure']>

/** A consumer of one partition that has applied 0 to 4, and fails to write 5. From then on nothing new is read. */
async function interrupted(t: TestScope) {
  const place = await world(t)
  const numbered = await openNumberedWorld(place, 1)
  place.defer(() => numbered.close())
  const redis = new Redis(place.redisUrl)
  place.defer(() => redis.disconnect())
  const { bus, store } = numbered
  const reader = bus.reader(GROUP)
  const reads = { areHeld: false, isWaiting: false, go: Promise.withResolvers<void>() }
  const looks: ((look: () => Look) => Look)[] = []
  const readNew: GroupReader['readNew'] = async (...given) => {
    if (reads.areHeld) {
      reads.isWaiting = true
      await reads.go.promise
    }
    return reader.readNew(...given)
  }
  const ensure: GroupReader['ensure'] = (...given) => {
    const look = reads.areHeld ? looks.shift() : undefined
    return look === undefined ? reader.ensure(...given) : look(() => reader.ensure(...given))
  }
  const before = (number: number) => {
    if (number !== 5) return
    reads.areHeld = true
    throw Object.assign(new Error('a lost race'), { code: '40001' })
  }
  const handler = numberedHandler({ order: 'loose', before })
  const consumer = runNumberedConsumer(
    { bus: { ...bus, reader: () => ({ ...reader, readNew, ensure }) }, store },
    handler,
  )
  place.defer(() => consumer.stop())
  await numbered.append('r.1', [0, 1, 2, 3, 4])
  await waitUntil(async () => (await numbered.applied('r.1')).length === 5)
  const keys = [bus.keys.stream(0), bus.keys.state(0), bus.keys.seen(0, 'a'), bus.keys.seen(0, 'b')]
  const deliveries = async () => {
    const [first] = (await redis.xpending(bus.keys.stream(0), GROUP, '-', '+', 1)) as [string, string, number, number][]
    return first?.[3] ?? 0
  }
  return { numbered, reads, looks, deliveries, flush: () => redis.del(...keys) }
}

// Between two looks at the streams there is a commit in Postgres, and the other loop doesn't stand still.
test('what is read while the writing finds a loss is applied once', async (t) => {
  const { numbered, reads, looks, deliveries, flush } = await interrupted(t)
  const blocker = await numbered.store.hot.connect()
  looks.push(async (look) => {
    await waitUntil(() => reads.isWaiting)
    await flush()
    const found = await look()
    await numbered.append('r.1', [6])
    reads.go.resolve()
    await waitUntil(async () => (await deliveries()) === 2, { what: 'the entry to be read' }) // as new, and then in its place
    await blocker.query('begin; lock table dead_letter') // the writing asks for replays before it goes on
    return found
  })
  await numbered.append('r.1', [5])
  await waitUntil(async () => (await numbered.store.hot.query('select from loss')).rowCount === 1)
  await waitUntil(() => reads.isWaiting)
  await waitUntil(async () => (await deliveries()) >= 2)
  await numbered.append('r.1', [7])
  await waitUntil(async () => (await deliveries()) >= 3, { what: 'the entry to be read again' })
  await new Promise((resolve) => setTimeout(resolve, 100)) // it is put into the buffer
  await blocker.query('commit')
  blocker.release()
  await waitUntil(async () => (await numbered.applied('r.1')).includes(7))
  assert.deepEqual(await numbered.applied('r.1'), [0, 1, 2, 3, 4, 6, 7])
})

test('a loss that both the reading and the writing run into is found once', async (t) => {
  const { numbered, reads, looks, deliveries, flush } = await interrupted(t)
  looks.push(async (look) => {
    await waitUntil(() => reads.isWaiting)
    await flush()
    reads.go.resolve() // the reading finds the group gone, and recovers too, unless it waits for its turn
    const losses = async () => (await numbered.store.hot.query('select from loss')).rowCount
    const untilMs = Date.now() + 1_000
    while ((await losses()) === 0 && Date.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, 20))
    await numbered.append('r.1', [6])
    while ((await deliveries()) === 0 && Date.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, 20))
    return look()
  })
  await numbered.append('r.1', [5])
  await waitUntil(async () => (await numbered.applied('r.1')).includes(6))
  assert.deepEqual(await numbered.applied('r.1'), [0, 1, 2, 3, 4, 6])
  const { rows } = await numbered.store.hot.query('select cause from loss')
  assert.deepEqual(rows, [{ cause: 'flushed' }])
})
