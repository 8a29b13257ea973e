/** `POST /api/events`, from the request to the row in Postgres: what is taken, what is refused, and in which words. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { waitUntil } from '#test/wait-until.ts'
import { operatorWorld } from './operator-world.ts'

type Answer = { readonly status: number; readonly body: unknown; readonly retryAfter: string | undefined }

async function open(t: TestContext, env: Record<string, string> = {}) {
  const place = await operatorWorld(t, env)
  place.persist()
  const { app, store, listen } = place

  /** Sends a body as it is. */
  async function post(payload: string | Buffer, query = '?ack=persisted', contentType = 'application/json') {
    const url = `/api/events${query}`
    const response = await app.inject({ method: 'POST', url, payload, headers: { 'content-type': contentType } })
    const body: unknown = response.body === '' ? null : response.json()
    return { status: response.statusCode, body, retryAfter: response.headers['retry-after'] } as Answer
  }

  /** Ids in the log. */
  async function logged(): Promise<string[]> {
    const { rows } = await store.hot.query<{ id: string }>('select id from event order by id')
    return rows.map(({ id }) => id)
  }

  /** The head of a request whose body is still to come. */
  async function begin(headers: string): Promise<Socket> {
    const socket = connect(Number(new URL(await listenOnce()).port), '127.0.0.1')
    t.after(() => socket.destroy())
    socket.on('error', () => {}) // a reset, when more was written than the server read
    socket.write(`POST /api/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${headers}\r\n\r\n`)
    return socket
  }

  let url: Promise<string> | undefined
  const listenOnce = () => (url ??= listen())
  return { ...place, post, logged, begin }
}

const eventWith = (members: object = {}) => ({
  id: randomUUID(),
  occurred: new Date().toISOString(),
  event: 'order.placed',
  resource: { 'prefect.resource.id': 'order.1' },
  ...members,
})

/** What a socket hears first. */
function heard(socket: Socket): Promise<string> {
  return new Promise((resolve) => socket.once('data', (bytes) => resolve(bytes.toString())))
}

const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`

test('a good batch is answered 204, and is in Postgres by then if that was asked for', async (t) => {
  const { post, logged } = await open(t)
  const events = [eventWith(), eventWith()]
  assert.deepEqual(await post(JSON.stringify(events)), { status: 204, body: null, retryAfter: undefined })
  assert.deepEqual(await logged(), events.map(({ id }) => id).sort())
})

test('one wrong event refuses its batch with 422 and what is wrong with each; nothing is taken, and it is counted', async (t) => {
  const { post, logged, metrics } = await open(t)
  const [good, nameless, old] = [eventWith(), eventWith({ event: 7 }), eventWith({ occurred: '1999-01-01T00:00:00Z' })]
  const { status, body } = await post(JSON.stringify([good, nameless, old]))
  assert.equal(status, 422)
  const { exception_detail: details } = body as { exception_detail: { loc: unknown; msg: string; input: unknown }[] }
  assert.deepEqual(
    details.map(({ loc, input }) => [loc, input]),
    [
      [['body', 1], { id: nameless.id }],
      [['body', 2], { id: old.id }],
    ],
  )
  assert.match(details[0]?.msg ?? '', /^event: must be a name/)
  assert.match(details[1]?.msg ?? '', /longer ago than events are kept/)
  assert.equal((await post(JSON.stringify([eventWith()]))).status, 204) // and so the log is written
  assert.ok(!(await logged()).includes(good.id))
  const counted = await metrics.registry.metrics()
  assert.match(counted, /millrace_events_total\{door="http",verdict="invalid"\} 1\n/)
  assert.match(counted, /millrace_events_total\{door="http",verdict="expired"\} 1\n/)
  assert.match(counted, /millrace_events_total\{door="http",verdict="accepted"\} 1\n/)
})

test('with `partial` each event has its verdict, and the good ones are taken', async (t) => {
  const { post, logged } = await open(t)
  const [known, good] = [eventWith(), eventWith()]
  await post(JSON.stringify([known]))
  const batch = [good, { ...good }, known, eventWith({ resource: {} }), eventWith({ occurred: '1999-01-01T00:00:00Z' })]
  const { status, body } = await post(JSON.stringify(batch), '?partial=true&ack=persisted')
  assert.equal(status, 207)
  const verdicts = body as { id: string; status: string; reason?: string }[]
  assert.deepEqual(
    verdicts.map((verdict) => verdict.status),
    ['accepted', 'duplicate', 'duplicate', 'invalid', 'expired'],
  )
  assert.deepEqual(
    verdicts.map(({ id }) => id),
    batch.map(({ id }) => id),
  )
  assert.match(verdicts[3]?.reason ?? '', /prefect\.resource\.id/)
  assert.deepEqual(await logged(), [known.id, good.id].sort())
})

test('what is no batch of events is refused with 422 in words', async (t) => {
  const { post, logged } = await open(t)
  const bodies: [string | Buffer, RegExp][] = [
    ['[{"id":', /not JSON/],
    ['', /not JSON/],
    ['{"id":1}', /must be a JSON array/],
    ['null', /must be a JSON array/],
    [Buffer.from([0x5b, 0xff, 0xfe, 0x5d]), /must be UTF-8/],
    ['[1,"two",null,[]]', /must be a JSON object/],
  ]
  for (const [body, reason] of bodies) {
    const answer = await post(body)
    assert.equal(answer.status, 422, String(body))
    assert.match(JSON.stringify(answer.body), reason)
  }
  assert.deepEqual(await logged(), [])
})

test('an event that Postgres could not hold, or nobody could read, is invalid and harms no other', async (t) => {
  const { post, logged } = await open(t)
  const resource = (label: string) => ({ resource: { 'prefect.resource.id': 'order.1', label } })
  const good = eventWith()
  const wrong: [string, RegExp][] = [
    [JSON.stringify(eventWith({ event: 'a\0b' })), /control characters/],
    [JSON.stringify(eventWith({ event: 'a\ud800' })), /lone surrogates/],
    [JSON.stringify(eventWith(resource('a\0'))), /NUL character/],
    [JSON.stringify(eventWith(resource('\udfff'))), /lone surrogate/],
    [JSON.stringify(eventWith({ occurred: '+010000-01-01T00:00:00Z' })), /years 1 to 9999/],
    [JSON.stringify(eventWith({ occurred: '10000-01-01T00:00:00Z' })), /years 1 to 9999/],
    [JSON.stringify(eventWith({ occurred: [] })), /^occurred: must be/],
    [JSON.stringify(eventWith({ id: 5 })), /must be a UUID/],
    [JSON.stringify(eventWith({ related: {} })), /must be a list/],
    [JSON.stringify(eventWith({ payload: 'text' })), /must be a JSON object/],
    [JSON.stringify(eventWith({ follows: 'nobody' })), /must be a UUID or null/],
    [JSON.stringify(eventWith({ event: 'x'.repeat(1_025) })), /may have 1024 characters/],
    [JSON.stringify(eventWith({ payload: { text: 'x'.repeat(1_600_000) } })), /may have 1500000 bytes/],
    [JSON.stringify(eventWith()).replace('}}', `},"payload":${nested(1_000)}}`), /levels deep/],
    [JSON.stringify(eventWith()).replace('}}', `},"payload":${nested(50_000)}}`), /levels deep/],
  ]
  const body = `[${[...wrong.map(([text]) => text), JSON.stringify(good)].join(',')}]`
  const answer = await post(body, '?partial=true&ack=persisted')
  assert.equal(answer.status, 207, JSON.stringify(answer.body).slice(0, 500))
  const verdicts = answer.body as { status: string; reason: string }[]
  wrong.forEach(([text, reason], i) => {
    assert.equal(verdicts[i]?.status, 'invalid', text.slice(0, 200))
    assert.match(verdicts[i]?.reason ?? '', reason)
  })
  assert.equal(verdicts.at(-1)?.status, 'accepted')
  assert.deepEqual(await logged(), [good.id])
})

test('a payload may hold what no label may: it is kept as it came', async (t) => {
  const { post, store } = await open(t)
  const event = eventWith({ payload: { nul: 'a\0b', lone: '\ud800' } })
  assert.equal((await post(JSON.stringify([event]))).status, 204)
  const { rows } = await store.hot.query<{ payload: string }>('select payload::text as payload from event')
  assert.equal(rows[0]?.payload, '{"nul":"a\\u0000b","lone":"\\ud800"}')
})

test('CloudEvents are taken in all three modes, and a lone surrogate in one of them harms no other', async (t) => {
  const { post, logged } = await open(t)
  const cloud = (id: string) => ({ specversion: '1.0', id, source: '/shop', type: 'order.placed' })
  const structured = 'application/cloudevents+json'
  assert.equal((await post(JSON.stringify(cloud('1')), '?ack=persisted', structured)).status, 204)
  assert.equal((await post(JSON.stringify(cloud('\ud800')), '?ack=persisted', structured)).status, 422)
  const batch = JSON.stringify([cloud('\ud800'), cloud('2')])
  const { status, body } = await post(batch, '?partial=true&ack=persisted', 'application/cloudevents-batch+json')
  assert.equal(status, 207)
  assert.deepEqual(
    (body as { status: string }[]).map((verdict) => verdict.status),
    ['invalid', 'accepted'],
  )
  assert.equal((await logged()).length, 2)
})

test('a batch of too many events is refused with 422, a body that is too large with 413', async (t) => {
  const { post, begin, logged } = await open(t, { MILLRACE_INGEST_MAX_BATCH_EVENTS: '3' })
  const many = await post(JSON.stringify([1, 2, 3, 4].map(() => eventWith())))
  assert.equal(many.status, 422)
  assert.match(JSON.stringify(many.body), /a batch may have 3 events, this one has 4/)
  assert.equal((await post(Buffer.alloc(10_000_000, 0x20))).status, 413)
  // By its announcement, also where it is beyond all that is read at once: waiting would not help.
  for (const bytes of [10_000_000, 300_000_000, 5e15]) {
    const answer = await heard(await begin(`content-length: ${bytes}`))
    assert.match(answer, /^HTTP\/1\.1 413 /)
    assert.doesNotMatch(answer, /retry-after/i)
  }
  assert.deepEqual(await logged(), [])
})

test('bodies beyond the budget are refused before they are read, until others are through or gone', async (t) => {
  const { begin, post } = await open(t, { MILLRACE_INGEST_MAX_BODY_BYTES: '200MiB' })
  const first = await begin(`content-length: ${200 * 2 ** 20}`)
  const refused = await waitUntil(async () => {
    const answer = await heard(await begin(`content-length: ${100 * 2 ** 20}`))
    return answer.startsWith('HTTP/1.1 429') && answer
  })
  assert.match(refused, /retry-after: 1\r\n/)
  assert.equal((await post(JSON.stringify([eventWith()]))).status, 204, 'a small one has room')
  first.destroy()
  await waitUntil(async () => {
    const socket = await begin('content-length: 104857600\r\nexpect: 100-continue')
    return (await heard(socket)).startsWith('HTTP/1.1 100')
  })
})

test('a full backlog is answered 429 with Retry-After before the body is read', async (t) => {
  const place = await operatorWorld(t, {
    MILLRACE_INGEST_HOLD_BACKLOG_EVENTS: '1',
    MILLRACE_INGEST_MAX_BACKLOG_EVENTS: '2',
  })
  const batch = JSON.stringify([eventWith(), eventWith(), eventWith()])
  const headers = { 'content-type': 'application/json' }
  const send = () => place.app.inject({ method: 'POST', url: '/api/events', payload: batch, headers })
  assert.equal((await send()).statusCode, 204)
  const port = Number(new URL(await place.listen()).port)
  const socket = connect(port, '127.0.0.1')
  t.after(() => socket.destroy())
  socket.write('POST /api/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n')
  const answer = await heard(socket)
  assert.match(answer, /^HTTP\/1\.1 429 /)
  assert.match(answer, /retry-after: \d+\r\n/)
})

test('half-open connections and trickling bodies are cut off, and others are served meanwhile', async (t) => {
  const { begin, post } = await open(t, { MILLRACE_SERVER_BODY_TIMEOUT: '1s' })
  const silent = await Promise.all(Array.from({ length: 20 }, () => begin('content-length: 1000')))
  const trickling = await begin('transfer-encoding: chunked')
  const trickle = setInterval(() => trickling.write('1\r\n[\r\n'), 50)
  t.after(() => clearInterval(trickle))
  const answers = Promise.all([...silent, trickling].map(heard))
  assert.equal((await post(JSON.stringify([eventWith()]))).status, 204)
  for (const answer of await answers) assert.match(answer, /^HTTP\/1\.1 408 /)
})
