import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { BusUnavailable } from '#src/errors.ts'
import { createMetrics } from '#src/metrics.ts'
import { waitUntil } from '#test/wait-until.ts'
import { RecordingIngest, testApi } from '../test-api.ts'
import { enter, type SocketClient } from './socket-client.ts'

const IN = '/api/events/in'
const answered = (client: SocketClient, ping: string) => waitUntil(() => client.pongs.includes(ping), { everyMs: 2 })

/** A gate that stays shut until it is opened. */
function shutGate(ingest: RecordingIngest) {
  const { promise, resolve } = Promise.withResolvers<void>()
  ingest.gate = () => promise
  return resolve
}

test('PONG is withheld until every frame before the PING is taken', async (t) => {
  const ingest = new RecordingIngest()
  const client = await enter(await testApi(t, { ingest }), IN)
  const letGo = shutGate(ingest)
  client.socket.send('{"a":1}')
  client.socket.ping('after a')
  await sleep(60)
  client.socket.send('{"b":2}')
  client.socket.ping('after b')
  await sleep(60)
  assert.deepEqual(client.pongs, [])
  letGo()
  await answered(client, 'after b')
  assert.deepEqual(client.pongs, ['after a', 'after b'])
  assert.deepEqual(ingest.batches, [['{"a":1}'], ['{"b":2}']])
})

test('frames that come close together are taken together, in order', async (t) => {
  const ingest = new RecordingIngest()
  const client = await enter(await testApi(t, { ingest }), IN)
  const frames = Array.from({ length: 1_000 }, (_, i) => `{"n":${i}}`)
  for (const frame of frames) client.socket.send(frame)
  client.socket.ping('done')
  await answered(client, 'done')
  assert.deepEqual(ingest.batches.flat(), frames)
  assert.ok(ingest.batches.length < 100, `${ingest.batches.length} batches`)
})

test('what is no event becomes a dead letter, and the socket goes on', async (t) => {
  const ingest = new RecordingIngest()
  const metrics = createMetrics({ defaults: false })
  const client = await enter(await testApi(t, { ingest, metrics }), IN)
  client.socket.send('not an event')
  client.socket.send(Buffer.from([0, 1, 2]))
  client.socket.send('{"fine":1}')
  client.socket.ping('done')
  await answered(client, 'done')
  assert.deepEqual(ingest.batches.flat(), ['not an event', '{"fine":1}'])
  assert.deepEqual(ingest.rejected.map(({ body, reason }) => [body.toString('hex'), reason]).sort(), [
    ['000102', 'a binary frame: events are JSON in text frames'],
    [Buffer.from('not an event').toString('hex'), 'no JSON object'],
  ])
  assert.match(await metrics.registry.metrics(), /millrace_events_total\{door="socket",verdict="invalid"\} 1/)
})

test('PONG waits for the dead letters as well', async (t) => {
  const ingest = new RecordingIngest()
  const client = await enter(await testApi(t, { ingest }), IN)
  const letGo = shutGate(ingest)
  client.socket.send(Buffer.from('binary'))
  client.socket.ping('after')
  await sleep(60)
  assert.deepEqual(client.pongs, [])
  letGo()
  await answered(client, 'after')
  assert.equal(ingest.rejected.length, 1)
})

test('while Redis is away the socket stays open and is not read; then everything is taken', async (t) => {
  const ingest = new RecordingIngest()
  const app = await testApi(t, { ingest })
  const client = await enter(app, IN)
  let failures = 0
  ingest.gate = async () => {
    if (failures++ < 3) throw new BusUnavailable('Redis does not answer.')
  }
  client.socket.send('{"a":1}')
  client.socket.ping('after a')
  await waitUntil(() => [...app.websocketServer.clients].some((socket) => socket.isPaused), { everyMs: 1 })
  client.socket.send('{"b":2}')
  assert.deepEqual(client.pongs, [])
  await answered(client, 'after a')
  await waitUntil(() => ingest.batches.flat().length === 2)
  assert.deepEqual(ingest.batches.flat(), ['{"a":1}', '{"b":2}'])
})

test('when Redis stays away the client is sent away without a PONG, to come again', async (t) => {
  const ingest = new RecordingIngest()
  const client = await enter(await testApi(t, { ingest, limits: { outageMs: 100 } }), IN)
  ingest.gate = async () => {
    throw new BusUnavailable('Redis does not answer.')
  }
  client.socket.send('{"a":1}')
  client.socket.ping('after a')
  assert.deepEqual(await client.closed(), [1013, 'Events cannot be taken at the moment: connect and send again.'])
  assert.deepEqual(client.pongs, [])
})

test('a sender faster than the appends is not read, so memory stays bounded', async (t) => {
  const ingest = new RecordingIngest()
  const app = await testApi(t, { ingest, limits: { waitingFrames: 50, waitingBytes: 1_000_000 } })
  const client = await enter(app, IN)
  const letGo = shutGate(ingest)
  const frames = Array.from({ length: 5_000 }, (_, i) => JSON.stringify({ n: i, filling: 'x'.repeat(2_000) }))
  for (const frame of frames) client.socket.send(frame)
  client.socket.ping('done')
  await waitUntil(() => [...app.websocketServer.clients].some((socket) => socket.isPaused))
  letGo()
  await answered(client, 'done')
  assert.deepEqual(ingest.batches.flat(), frames)
  const largest = Math.max(...ingest.batches.map((batch) => batch.length))
  assert.ok(largest < 150, `${largest} frames waited`) // 50, and what was in the packet that made it 50
})

test('when much waits at all senders together, none is read that something waits for, until it is taken', async (t) => {
  const ingest = new RecordingIngest()
  const metrics = createMetrics({ defaults: false })
  const app = await testApi(t, { ingest, metrics, limits: { allWaitingBytes: 10_000 } })
  const clients = await Promise.all(Array.from({ length: 5 }, () => enter(app, IN)))
  const letGo = shutGate(ingest)
  const frame = JSON.stringify({ filling: 'x'.repeat(4_000) })
  for (const { socket } of clients) socket.send(frame)
  const paused = () => [...app.websocketServer.clients].filter((socket) => socket.isPaused).length
  await waitUntil(() => paused() === 3) // the third made it too much
  letGo()
  for (const { socket } of clients) socket.ping('done')
  await Promise.all(clients.map((client) => answered(client, 'done')))
  assert.equal(paused(), 0)
  assert.equal(ingest.batches.flat().length, 5)
  assert.match(await metrics.registry.metrics(), /millrace_queue_bytes\{queue="socket_in"\} 0/)
})

test('an event that is too large is set aside and its socket goes on; only beyond the largest body it is closed', async (t) => {
  const ingest = new RecordingIngest()
  const env = { MILLRACE_EVENTS_MAX_BYTES: '1KiB', MILLRACE_INGEST_MAX_BODY_BYTES: '1MiB' }
  const client = await enter(await testApi(t, { ingest, env }), IN)
  client.socket.send('x'.repeat(1_000_000))
  client.socket.ping('after')
  await answered(client, 'after')
  assert.equal(ingest.rejected[0]?.body.length, 1_000_000)
  client.socket.send('x'.repeat(1_100_000))
  assert.equal((await client.closed())[0], 1009)
})

test('a dead letter keeps its id when it is handed in again', async (t) => {
  const ingest = new RecordingIngest()
  const client = await enter(await testApi(t, { ingest }), IN)
  const tried: string[][] = []
  const reject = ingest.reject.bind(ingest)
  ingest.reject = async (bodies) => {
    tried.push(bodies.map(({ id }) => id))
    if (tried.length < 3) throw new BusUnavailable('Redis does not answer.')
    await reject(bodies)
  }
  client.socket.send(Buffer.from('binary'))
  client.socket.send(Buffer.from('another'))
  client.socket.ping('after')
  await answered(client, 'after')
  assert.equal(new Set(tried[0]).size, 2)
  assert.deepEqual(tried, [tried[0], tried[0], tried[0]])
})

test('what came before a client left is taken', async (t) => {
  const ingest = new RecordingIngest()
  const client = await enter(await testApi(t, { ingest }), IN)
  const letGo = shutGate(ingest)
  for (let n = 0; n < 10; n++) client.socket.send(`{"n":${n}}`)
  client.socket.close(1000)
  await client.closed()
  letGo()
  await waitUntil(() => ingest.batches.flat().length === 10)
})

test('what came before the server stops is taken before it has stopped', async (t) => {
  const ingest = new RecordingIngest()
  const app = await testApi(t, { ingest })
  const client = await enter(app, IN)
  ingest.gate = () => sleep(100)
  client.socket.send('{"n":1}')
  await sleep(20)
  await app.close()
  assert.deepEqual(ingest.batches, [['{"n":1}']])
})
