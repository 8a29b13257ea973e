import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { createServer } from '#src/api/server.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'
import { settingsWith } from './test-api.ts'

async function listening(t: { after(end: () => Promise<void>): void }, env: Readonly<Record<string, string>> = {}) {
  const app = await createServer({
    settings: settingsWith(env),
    log: createLog('silent'),
    metrics: createMetrics({ defaults: false }),
  })
  t.after(() => app.close())
  app.post('/', async () => 'taken')
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { app, port: (app.server.address() as AddressInfo).port }
}

/** Until the other end closes, or resets what is still being written to it. */
async function everythingFrom(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.on('error', () => {}) // told by `close` as well
  await once(socket, 'close')
  return text
}

test('a body that trickles in is cut off with 408, in words', async (t) => {
  const { port } = await listening(t, { MILLRACE_SERVER_BODY_TIMEOUT: '200ms' })
  const socket = connect(port, '127.0.0.1')
  socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n[')
  const trickle = setInterval(() => socket.write(' '), 20)
  t.after(() => clearInterval(trickle))
  const answer = await everythingFrom(socket)
  assert.match(answer, /^HTTP\/1\.1 408 /)
  assert.match(answer, /"detail":"The request did not arrive whole in time\."/)
})

test('a connection that says nothing is closed', async (t) => {
  const { port } = await listening(t, { MILLRACE_SERVER_BODY_TIMEOUT: '200ms' })
  const socket = connect(port, '127.0.0.1')
  await everythingFrom(socket)
})

test('what is no HTTP is refused in words', async (t) => {
  const { port } = await listening(t)
  const socket = connect(port, '127.0.0.1')
  socket.write('\x16\x03\x01hello\r\n\r\n')
  assert.match(await everythingFrom(socket), /^HTTP\/1\.1 400 .*"detail"/s)
})

// Closing at once would reset the connection under a client that is still sending, and it would never see the answer.
test('a body of 10 MB is refused with 413, and its sender sees the answer', async (t) => {
  const { port } = await listening(t)
  for (const announced of [true, false]) {
    const body = Buffer.alloc(10_000_000, 0x20)
    const headers = { 'content-type': 'application/json', ...(announced && { 'content-length': body.length }) }
    const sent = request({ host: '127.0.0.1', port, method: 'POST', headers })
    sent.end(body)
    const [answer] = await once(sent, 'response')
    assert.equal(answer.statusCode, 413)
    assert.match(Buffer.concat(await answer.toArray()).toString(), /larger than the 8388608 bytes/)
  }
})

test('closing does not wait for ever for a body that never comes', async (t) => {
  const { app, port } = await listening(t)
  const idle = connect(port, '127.0.0.1')
  await once(idle, 'connect')
  const ended = once(idle, 'close')
  idle.resume()
  await app.close()
  await ended
})
