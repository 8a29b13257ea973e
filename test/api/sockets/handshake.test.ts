import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitUntil } from '#test/wait-until.ts'
import { RecordingIngest, testApi } from '../test-api.ts'
import { enter, open } from './socket-client.ts'

const IN = '/api/events/in'
const AUTH = '{"type":"auth","token":null}'
const env = { MILLRACE_SERVER_AUTH_STRING: 'admin:pass' }

test('a ping before the handshake is answered, and the handshake succeeds', async (t) => {
  const app = await testApi(t)
  const client = await open(app, IN)
  assert.equal(client.socket.protocol, 'prefect')
  client.socket.ping('first')
  await waitUntil(() => client.pongs.includes('first'))
  client.socket.send(AUTH)
  assert.equal(await client.frame(0), '{"type":"auth_success"}')
})

test('frames right behind the handshake are not missed', async (t) => {
  const ingest = new RecordingIngest()
  const app = await testApi(t, { ingest })
  const client = await open(app, IN)
  client.socket.send(AUTH)
  client.socket.send('{"one":1}')
  client.socket.ping('done')
  await waitUntil(() => client.pongs.includes('done'))
  assert.deepEqual(ingest.batches, [['{"one":1}']])
})

test('anything but an auth message first is refused with 1008', async (t) => {
  const app = await testApi(t)
  for (const frame of [
    '{"type":"filter"}',
    'nonsense',
    'null',
    Buffer.from(AUTH),
    `{"type":"auth","x":"${'x'.repeat(20_000)}"}`,
  ]) {
    const client = await open(app, IN)
    client.socket.send(frame)
    assert.deepEqual(await client.closed(), [1008, "Expected an 'auth' message first."])
  }
})

test('who says nothing is closed', async (t) => {
  const app = await testApi(t, { limits: { handshakeMs: 50 } })
  const client = await open(app, IN)
  assert.deepEqual(await client.closed(), [1008, "No 'auth' message within 0.05 s."])
})

test('with an auth string set, only its own token enters', async (t) => {
  const app = await testApi(t, { env })
  await enter(app, IN, { token: 'admin:pass' })
  for (const token of [null, '', 'admin:pas', Buffer.from('admin:pass').toString('base64')]) {
    const client = await open(app, IN)
    client.socket.send(JSON.stringify({ type: 'auth', token }))
    assert.deepEqual((await client.closed())[0], 1008)
  }
})

test('without the subprotocol a client needs no handshake, unless there are credentials to ask for', async (t) => {
  const ingest = new RecordingIngest()
  const client = await open(await testApi(t, { ingest }), IN, { protocol: null })
  assert.equal(client.socket.protocol, '')
  client.socket.send('{"legacy":true}')
  await waitUntil(() => ingest.batches.length === 1)
  const refused = await open(await testApi(t, { env }), IN, { protocol: null })
  assert.equal((await refused.closed())[0], 1002)
})

test('a plain request to a socket is told what it is', async (t) => {
  const answer = await (await testApi(t)).inject(IN)
  assert.deepEqual(
    [answer.statusCode, answer.json().detail],
    [404, '/events/in is a WebSocket: connect with ws:// or wss://.'],
  )
})

test('a client that is gone without a goodbye is cut; one that answers stays', async (t) => {
  const app = await testApi(t, { limits: { keepAliveMs: 50 } })
  const [gone, there] = [await enter(app, IN, { autoPong: false }), await enter(app, IN)]
  assert.equal((await gone.closed())[0], 1006)
  assert.equal(there.socket.readyState, there.socket.OPEN)
})

test('when the server stops, clients are asked to come again', async (t) => {
  const app = await testApi(t)
  const client = await enter(app, IN)
  await app.close()
  assert.equal((await client.closed())[0], 1012)
})
