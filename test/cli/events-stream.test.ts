import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { type WebSocket, WebSocketServer } from 'ws'
import { millrace, start } from './millrace.ts'

const event = (id: string, occurred = new Date().toISOString()) => ({
  id,
  occurred,
  event: 'order.placed',
  resource: { 'prefect.resource.id': 'order.1' },
  payload: { total: 12 },
})

interface Filter {
  occurred: { since: string; until: string }
  [field: string]: unknown
}

/** A server that speaks the handshake of `/api/events/out` and then does what the test says. */
async function api(
  t: TestContext,
  then: (socket: WebSocket, filter: Filter, nth: number) => void,
  token: string | null = null,
) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/api/events/out' })
  await once(server, 'listening')
  t.after(() => {
    for (const socket of server.clients) socket.terminate()
    server.close()
  })
  let connections = 0
  server.on('connection', (socket) => {
    const nth = ++connections
    assert.equal(socket.protocol, 'prefect')
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data))
      if (frame.type === 'filter') then(socket, frame.filter, nth)
      else if (frame.token === token) socket.send(JSON.stringify({ type: 'auth_success' }))
      else socket.close(1008, 'wrong credentials')
    })
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const send = (socket: WebSocket, ...ids: string[]) => {
  for (const id of ids) socket.send(JSON.stringify({ type: 'event', event: event(id) }))
}

test('events stream prints one event a line as JSON and ends with the server', async (t) => {
  const filters: Filter[] = []
  const { url } = await api(t, (socket, filter) => {
    filters.push(filter)
    send(socket, 'a', 'b')
    socket.close(1000)
  })
  const args = ['events', 'stream', '--url', url, '--event', 'order.', '--resource-id', 'order.1', '--since', '10m']
  const { stdout, stderr, exit } = await millrace([...args, '--filter', '{"id":{"id":[]}}'])
  assert.deepEqual([exit, stderr], [0, ''])
  const ids = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).id)
  assert.deepEqual(ids, ['a', 'b'])
  const [{ occurred, ...filter }] = filters as [Filter]
  assert.deepEqual(filter, { id: { id: [] }, event: { prefix: ['order.'] }, resource: { id: ['order.1'] } })
  const agoMs = Date.now() - Date.parse(occurred.since)
  assert.ok(agoMs >= 600_000 && agoMs < 700_000, String(agoMs))
})

test('a lost connection is made again from before the last event, without repeating one', async (t) => {
  const since: number[] = []
  const { url } = await api(t, (socket, filter, nth) => {
    since.push(Date.parse(filter.occurred.since))
    send(socket, ...(nth === 1 ? ['a', 'b'] : ['a', 'b', 'c']))
    if (nth === 1)
      setTimeout(() => socket.terminate(), 100) // as a crash would
    else socket.close(1000)
  })
  const { stdout, stderr, exit } = await millrace(['events', 'stream', '--url', url, '--since', '1h'])
  assert.equal(exit, 0)
  assert.deepEqual(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).id),
    ['a', 'b', 'c'],
  )
  assert.match(stderr, /^millrace: connection lost .*, connecting again\n$/)
  const [first = 0, second = 0] = since
  assert.ok(second > first, 'the second time it asks for less')
})

test('--run-once ends after the first event, --format text is for people, --output-file appends', async (t) => {
  const { url } = await api(t, (socket) => send(socket, 'a', 'b', 'c'))
  const folder = await mkdtemp(join(tmpdir(), 'millrace-stream-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'events')
  const once = ['events', 'stream', '--url', url, '--run-once', '--output-file', file, '--format']
  const text = await millrace([...once, 'text'])
  const json = await millrace([...once, 'json'])
  assert.deepEqual([text.exit, text.stdout, json.exit, json.stdout], [0, '', 0, ''])
  const [first, second, ...rest] = (await readFile(file, 'utf8')).split('\n')
  assert.match(first ?? '', /^\S+Z order\.placed order\.1 \{"total":12\}$/)
  assert.equal(JSON.parse(second ?? '').id, 'a')
  assert.deepEqual(rest, [''])
})

test('Ctrl-C ends it with exit code 0', async (t) => {
  const { url } = await api(t, (socket) => send(socket, 'a'))
  const child = start(['events', 'stream', '--url', url])
  const stderr = text(child.stderr)
  await once(createInterface(child.stdout), 'line')
  child.kill('SIGINT')
  child.kill('SIGINT') // as a wrapper that hands signals on may do
  const [exit] = await once(child, 'close')
  assert.deepEqual([exit, await stderr], [0, ''])
})

test('wrong credentials and a server that is not there end it with a sentence', async (t) => {
  const { url } = await api(t, (socket) => socket.close(1000), 'me:secret')
  const refused = await millrace(['events', 'stream', '--url', url], { MILLRACE_API_AUTH_STRING: 'me:wrong' })
  assert.equal(refused.exit, 1)
  assert.match(
    refused.stderr,
    /^millrace: .* refused the credentials: set MILLRACE_API_AUTH_STRING \(wrong credentials\)\.\n$/,
  )
  const right = await millrace(['events', 'stream', '--url', url], { MILLRACE_API_AUTH_STRING: 'me:secret' })
  assert.equal(right.exit, 0)
  const nobody = await millrace(['events', 'stream', '--url', 'http://127.0.0.1:1'])
  assert.equal(nobody.exit, 1)
  assert.match(nobody.stderr, /^millrace: http:\/\/127\.0\.0\.1:1\/api is not to be reached \(.*ECONNREFUSED.*\)\.\n$/)
})
