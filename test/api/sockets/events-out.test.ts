import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Api } from '#src/api/route.ts'
import { createMetrics } from '#src/metrics.ts'
import { waitUntil } from '#test/wait-until.ts'
import { testApi } from '../test-api.ts'
import { liveWorld } from './live-world.ts'
import { enter, type SocketClient } from './socket-client.ts'

const OUT = '/api/events/out'
const MINUTE_MS = 60_000

/** What Prefect's client sends: everything of the last minute, and what comes. */
function filterFrame(filter: object = {}, more: object = {}): string {
  const occurred = {
    since: new Date(Date.now() - MINUTE_MS).toISOString(),
    until: new Date(Date.now() + 365 * 86_400_000).toISOString(),
  }
  const nothing = { event: null, resource: null, related: null, any_resource: null, id: { id: [] }, text: null }
  return JSON.stringify({ type: 'filter', filter: { occurred, ...nothing, order: 'DESC', ...filter }, ...more })
}

async function subscribe(app: Api, filter?: object, more?: object): Promise<SocketClient> {
  const client = await enter(app, OUT)
  client.socket.send(filterFrame(filter, more))
  return client
}

const names = (client: SocketClient) => client.frames.map((frame) => JSON.parse(frame).event.event)
const subscribed = (app: Api, count = 1) =>
  waitUntil(async () => (await app.inject('/metrics')).body.includes(`millrace_live_subscribers ${count}\n`))

test('a subscriber gets what occurred lately, then what occurs, as whole events', async (t) => {
  const { app, append, persist } = await liveWorld(t)
  await append({ event: 'a', payload: { digits: 1.5 } })
  await persist()
  const client = await subscribe(app)
  await client.frame(0)
  await append({ event: 'b', related: [{ 'prefect.resource.id': 'r', 'prefect.resource.role': 'x' }] })
  const { type, event } = JSON.parse(await client.frame(1))
  assert.equal(type, 'event')
  assert.deepEqual(names(client), ['a', 'b'])
  assert.deepEqual(Object.keys(event).sort(), [
    'event',
    'follows',
    'id',
    'occurred',
    'payload',
    'received',
    'related',
    'resource',
  ])
  assert.deepEqual(event.related, [{ 'prefect.resource.id': 'r', 'prefect.resource.role': 'x' }])
  assert.match(event.received, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
})

test('the backfill waits until the log has what came before, and what came meanwhile follows it', async (t) => {
  const { app, append, persist } = await liveWorld(t)
  await append({ event: 'a' })
  const client = await subscribe(app)
  await subscribed(app)
  await append({ event: 'b' }, { event: 'c' })
  await sleep(100)
  assert.deepEqual(client.frames, [])
  await persist()
  await client.frame(2)
  await append({ event: 'd' })
  await client.frame(3)
  assert.deepEqual(names(client).sort(), ['a', 'b', 'c', 'd'])
  assert.equal(names(client).at(-1), 'd')
})

test('subscribers that come at any moment get every event once', async (t) => {
  const { app, append, persist } = await liveWorld(t)
  const clients: SocketClient[] = []
  const expected: string[] = []
  for (let n = 0; n < 120; n++) {
    const batch = Array.from({ length: 5 }, (_, i) => `event-${n}-${i}`)
    expected.push(...batch)
    const steps = [append(...batch.map((event) => ({ event })))]
    if (n % 3 === 0) steps.push(persist())
    if (n % 10 === 5) steps.push(subscribe(app).then((client) => void clients.push(client)))
    await Promise.all(steps)
  }
  await persist()
  for (const client of clients) {
    await client.frame(expected.length - 1)
    assert.deepEqual(names(client).sort(), expected.toSorted())
  }
})

test('without backfill only what occurs from now on is sent', async (t) => {
  const { app, append, persist } = await liveWorld(t)
  await append({ event: 'a' })
  await persist()
  const client = await subscribe(app, {}, { backfill: false })
  await waitUntil(async () => {
    await append({ event: 'b' })
    return client.frames.length > 0
  })
  assert.ok(names(client).every((name) => name === 'b'))
})

test('filters hold live as they do in the log, related resources too', async (t) => {
  const { app, append, persist } = await liveWorld(t)
  const wanted = { related: [{ 'prefect.resource.id': 'flow.1', 'prefect.resource.role': 'flow' }] }
  const batch = [{ event: 'my.one', ...wanted }, { event: 'my.two' }, { event: 'other', ...wanted }]
  await append(...batch)
  await persist()
  const client = await subscribe(app, { event: { prefix: ['my.'] }, related: { id: ['flow.1'], role: ['flow'] } })
  await client.frame(0)
  await append(...batch, { event: 'my.last', ...wanted })
  await client.frame(2)
  assert.deepEqual(names(client).toSorted(), ['my.last', 'my.one', 'my.one'])
})

test('how far back a subscriber may ask is bounded, and a filter may say nothing', async (t) => {
  const { app, append, persist } = await liveWorld(t)
  const ago = (ms: number) => new Date(Date.now() - ms).toISOString()
  await append({ event: 'old', occurred: ago(16 * MINUTE_MS) }, { event: 'recent', occurred: ago(14 * MINUTE_MS) })
  await persist()
  const client = await enter(app, OUT)
  client.socket.send('{"type":"filter","filter":{}}')
  await client.frame(0)
  await append({ event: 'now' })
  await client.frame(1)
  assert.deepEqual(names(client), ['recent', 'now'])
})

test('anything but a filter is refused with 1002 and what is wrong with it', async (t) => {
  const app = await testApi(t, { limits: { handshakeMs: 100 } })
  for (const [frame, reason] of [
    ['nonsense', /Expected a 'filter' message/],
    ['{"type":"auth"}', /Expected a 'filter' message/],
    [filterFrame({ event: { prefix: 'my.' } }), /^event/],
    [filterFrame({ occurred: { since: 'yesterday' } }), /occurred\.since is "yesterday"/],
    [null, /No 'filter' message came/],
  ] as const) {
    const client = await enter(app, OUT)
    if (frame !== null) client.socket.send(frame)
    const [code, said] = await client.closed()
    assert.equal(code, 1002)
    assert.match(said, reason)
  }
})

test('a reader that is slower than the events is slowed, then cut with 1013, having skipped none', async (t) => {
  const limits = { queuedEvents: 40, unsentBytes: 100_000 }
  const { app, append } = await liveWorld(t, { limits })
  const client = await subscribe(app, {}, { backfill: false })
  await subscribed(app)
  await waitUntil(async () => {
    await append({ event: 'first' })
    return client.frames.length > 0
  })
  client.socket.pause()
  // All of one resource, so of one partition: their order is the order in which they were appended.
  const sample = { resource: { 'prefect.resource.id': 'one' }, payload: { filling: 'x'.repeat(200_000) } }
  let sent = 0
  await waitUntil(
    async () => {
      await append(...Array.from({ length: 10 }, () => ({ event: `n${sent++}`, ...sample })))
      return [...app.websocketServer.clients].every((socket) => socket.readyState !== socket.OPEN)
    },
    { everyMs: 1 },
  )
  client.socket.resume()
  const [code, reason] = await client.closed()
  assert.equal(code, 1013)
  assert.match(reason, /Too slow/)
  const got = names(client).filter((name) => name !== 'first')
  assert.ok(got.length > 0 && got.length < sent)
  assert.deepEqual(
    got,
    Array.from(got, (_, n) => `n${n}`),
  )
})

test('when all readers together are too far behind, those that are behind are cut, and no other', async (t) => {
  const metrics = createMetrics({ defaults: false })
  const limits = { unsentBytes: 100_000, allQueuedBytes: 1_000_000 }
  const { app, append } = await liveWorld(t, { limits, metrics })
  const clients = await Promise.all([1, 2, 3].map(() => subscribe(app, {}, { backfill: false })))
  await subscribed(app, 3)
  await waitUntil(async () => {
    await append({ event: 'first' })
    return clients.every(({ frames }) => frames.length > 0)
  })
  const [quick, ...slow] = clients
  for (const { socket } of slow) socket.pause()
  const open = () => [...app.websocketServer.clients].filter((socket) => socket.readyState === socket.OPEN).length
  await waitUntil(
    async () => {
      await append({ event: 'n', payload: { filling: 'x'.repeat(200_000) } })
      return open() === 1
    },
    { everyMs: 1 },
  )
  for (const { socket } of slow) socket.resume()
  for (const client of slow) assert.equal((await client.closed())[0], 1013)
  await append({ event: 'last' })
  await waitUntil(() => quick !== undefined && names(quick).includes('last'))
  await waitUntil(async () => /millrace_queue_bytes\{queue="socket_out"\} 0/.test(await metrics.registry.metrics()))
})

test('when the log stays behind, a subscriber is sent away to come again', async (t) => {
  const { app, append } = await liveWorld(t, { limits: { outageMs: 100 } })
  await append({ event: 'a' })
  const client = await subscribe(app)
  assert.equal((await client.closed())[0], 1013)
})

test('when Redis loses everything, what is in the log is sent all the same, and live events go on', async (t) => {
  const { app, append, persist, loseRedis } = await liveWorld(t)
  await append({ event: 'a' })
  await persist()
  const client = await subscribe(app)
  await client.frame(0)
  await loseRedis()
  await append({ event: 'b' })
  await append({ event: 'c' })
  await persist()
  await waitUntil(() => client.frames.length === 3)
  assert.deepEqual(names(client).toSorted(), ['a', 'b', 'c'])
})

test('a subscriber is asked to come again when the server stops, and when live events are switched off', async (t) => {
  const { app } = await liveWorld(t)
  const client = await subscribe(app)
  await subscribed(app)
  await app.close()
  assert.equal((await client.closed())[0], 1012)
  const off = await subscribe(await testApi(t))
  assert.equal((await off.closed())[0], 1013)
})
