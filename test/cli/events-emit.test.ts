import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { millrace } from './millrace.ts'

/** An API that keeps what it is sent and gives one answer to everything. */
async function api(t: TestContext, status: number, body = '') {
  const requests: { path: string | undefined; authorization: string | undefined; body: unknown }[] = []
  const server = createServer(async (request, response) => {
    requests.push({ path: request.url, authorization: request.headers.authorization, body: await json(request) })
    response.writeHead(status).end(body)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, port: String(port), requests }
}

test('events emit sends one event to the API and prints its id', async (t) => {
  const { url, requests } = await api(t, 204)
  const { stdout, stderr, exit } = await millrace(
    // biome-ignore format: one flag a line
    [
      'events', 'emit', 'order.placed', '--url', url,
      '--resource-id', 'order.1', '--resource', 'shop=north,city=Ulm, Donau', '--resource', 'colour=a=b',
      '--related', 'id=customer.7,role=customer,name=Ada', '--related', '{"id":"pool.1","role":"work-pool"}',
      '--payload', '{"total":12}',
    ],
    { MILLRACE_SERVER_AUTH_STRING: 'me:secret' },
  )
  assert.deepEqual([exit, stderr], [0, ''])
  assert.equal(requests.length, 1)
  const [request] = requests
  assert.ok(request)
  assert.equal(request.path, '/api/events')
  assert.equal(request.authorization, `Basic ${Buffer.from('me:secret').toString('base64')}`)
  const [event] = request.body as [{ id: string; occurred: string }]
  assert.equal(stdout, `${event.id}\n`)
  assert.deepEqual(event, {
    id: event.id,
    occurred: new Date(event.occurred).toISOString(),
    event: 'order.placed',
    resource: { shop: 'north', city: 'Ulm, Donau', colour: 'a=b', 'prefect.resource.id': 'order.1' },
    related: [
      { 'prefect.resource.id': 'customer.7', 'prefect.resource.role': 'customer', 'prefect.resource.name': 'Ada' },
      { 'prefect.resource.id': 'pool.1', 'prefect.resource.role': 'work-pool' },
    ],
    payload: { total: 12 },
  })
})

test('the API is found by its variables, else on the port of this machine', async (t) => {
  const { url, port, requests } = await api(t, 204)
  const emit = ['events', 'emit', 'a', '--resource-id', 'b']
  const environments = [
    { PREFECT_API_URL: `${url}/api` },
    { MILLRACE_API_URL: `${url}/` },
    { MILLRACE_SERVER_PORT: port, MILLRACE_SERVER_HOST: '0.0.0.0' },
  ]
  for (const env of environments) assert.equal((await millrace(emit, env)).exit, 0)
  assert.deepEqual(
    requests.map(({ path }) => path),
    ['/api/events', '/api/events', '/api/events'],
  )
})

test('a refused event is told with what the server said', async (t) => {
  const { url } = await api(t, 422, '{"detail":"event 0: the name is empty"}')
  const { stdout, stderr, exit } = await millrace(['events', 'emit', 'a', '--resource-id', 'b', '--url', url])
  assert.deepEqual([exit, stdout], [1, ''])
  assert.equal(stderr, `millrace: ${url}/api refused the event with 422: {"detail":"event 0: the name is empty"}\n`)
})

test('a server that is not there is told with what to do', async () => {
  const { stderr, exit } = await millrace(['events', 'emit', 'a', '--resource-id', 'b', '--url', 'http://127.0.0.1:1'])
  assert.equal(exit, 1)
  assert.match(
    stderr,
    /^millrace: nothing answers at http:\/\/127\.0\.0\.1:1\/api: start a server with `millrace server start`/,
  )
})

test('wrong arguments are refused before anything is sent', async () => {
  const wrong: [string[], RegExp][] = [
    [[], /give --resource-id/],
    [['--resource', 'novalue'], /--resource is "novalue", but it must be key=value/],
    [['--resource-id', 'x', '--related', 'id=y'], /--related is "id=y", but it must have an id and a role/],
    [['--resource-id', 'x', '--payload', '{'], /--payload is no JSON/],
    [['--resource-id', 'x', '--payload', '[1]'], /--payload must be a JSON object/],
    [['--resource-id', 'x', '--url', 'here'], /--url is "here", but it must be a URL/],
  ]
  for (const [args, sentence] of wrong) {
    const { stderr, exit } = await millrace(['events', 'emit', 'a', ...args])
    assert.equal(exit, 2, stderr)
    assert.match(stderr, sentence)
  }
})
