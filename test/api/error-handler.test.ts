import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from '@sinclair/typebox'
import { createServer } from '#src/api/server.ts'
import { ArchiveDamaged, BatchInvalid, BusUnavailable, NotFound, Overloaded } from '#src/errors.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'
import { settingsWith } from './test-api.ts'

const Body = Type.Object({ limit: Type.Integer({ maximum: 50 }), id: Type.Optional(Type.String({ format: 'uuid' })) })

async function failing(t: { after(end: () => Promise<void>): void }, error: Error) {
  const app = await createServer({
    settings: settingsWith({ MILLRACE_INGEST_MAX_BODY_BYTES: '64KiB' }),
    log: createLog('silent'),
    metrics: createMetrics({ defaults: false }),
  })
  t.after(() => app.close())
  app.get('/fail', async () => {
    throw error
  })
  app.post('/check', { schema: { body: Body } }, async () => 'fine')
  app.get(
    '/query',
    { schema: { querystring: Type.Object({ partial: Type.Boolean({ default: false }) }) } },
    async ({ query }) => query,
  )
  await app.ready()
  return app
}

test('an error without a code is the server’s own affair', async (t) => {
  const app = await failing(t, new Error('password is hunter2'))
  const answer = await app.inject('/fail')
  assert.deepEqual([answer.statusCode, answer.body], [500, '{"exception_message":"Internal Server Error"}'])
})

test('what is not there is named', async (t) => {
  const app = await failing(t, new NotFound('no event 7'))
  const answer = await app.inject('/fail')
  assert.deepEqual([answer.statusCode, answer.json()], [404, { code: 'NOT_FOUND', detail: 'no event 7' }])
  const nowhere = await app.inject('/nowhere?secret=1')
  assert.deepEqual(
    [nowhere.statusCode, nowhere.json()],
    [404, { code: 'NOT_FOUND', detail: 'Not Found: there is no GET /nowhere' }],
  )
})

test('overload and outage say when to come again, in whole seconds', async (t) => {
  const overloaded = await (await failing(t, new Overloaded('Too much at once.', { retryAfterMs: 1_200 }))).inject(
    '/fail',
  )
  assert.deepEqual(
    [overloaded.statusCode, overloaded.headers['retry-after'], overloaded.json()],
    [429, '2', { code: 'OVERLOADED', exception_message: 'Too Many Requests', detail: 'Too much at once.' }],
  )
  const soon = await (await failing(t, new Overloaded('Nearly.', { retryAfterMs: 1 }))).inject('/fail')
  assert.equal(soon.headers['retry-after'], '1')
  const down = await (await failing(t, new BusUnavailable('Redis does not answer.'))).inject('/fail')
  assert.equal(down.statusCode, 503)
  assert.match(String(down.headers['retry-after']), /^[1-9]\d*$/)
  assert.deepEqual(down.json(), {
    code: 'BUS_UNAVAILABLE',
    exception_message: 'Service Unavailable',
    detail: 'Redis does not answer.',
  })
})

test('a fault that has a sentence for whoever asks keeps it', async (t) => {
  const damaged = await (await failing(t, new ArchiveDamaged('a part is missing'))).inject('/fail')
  assert.equal(damaged.statusCode, 500)
  assert.equal(damaged.json().detail, 'The archive is damaged: a part is missing.')
})

test('a wrong body is refused with what is wrong, where, and the body itself', async (t) => {
  const app = await failing(t, new Error('unused'))
  const body = { limit: 51, id: 'x' }
  const answer = await app.inject({ method: 'POST', url: '/check', body })
  assert.equal(answer.statusCode, 422)
  const { code, exception_message, exception_detail, request_body } = answer.json()
  assert.equal(code, 'REQUEST_INVALID')
  assert.equal(exception_message, 'Invalid request received.')
  assert.deepEqual(request_body, body)
  assert.deepEqual(
    exception_detail.map(({ loc, input }: { loc: string[]; input: unknown }) => [loc, input]),
    [
      [['body', 'limit'], 51],
      [['body', 'id'], 'x'],
    ],
  )
  const text = await app.inject({ method: 'POST', url: '/check', body: { limit: '5' } })
  assert.equal(text.statusCode, 422, 'text is no number in a body')
  const missing = await app.inject({ method: 'POST', url: '/check', body: {} })
  assert.equal(missing.json().exception_detail[0].type, 'missing')
})

test('a body that is no JSON is refused as Prefect refuses it, and a large one is not sent back', async (t) => {
  const app = await failing(t, new Error('unused'))
  const headers = { 'content-type': 'application/json' }
  for (const payload of ['{"limit":', '', '{"__proto__":{"a":1}}']) {
    const answer = await app.inject({ method: 'POST', url: '/check', headers, payload })
    const { code, exception_detail } = answer.json()
    assert.deepEqual([answer.statusCode, code, exception_detail[0].type], [422, 'REQUEST_INVALID', 'json_invalid'])
  }
  const large = await app.inject({ method: 'POST', url: '/check', body: { limit: 'x'.repeat(20_000) } })
  assert.equal(large.statusCode, 422)
  assert.ok(!('request_body' in large.json()))
})

test('bodies that are too large, or of an unknown kind, are refused in words', async (t) => {
  const app = await failing(t, new Error('unused'))
  const large = await app.inject({ method: 'POST', url: '/check', body: { limit: 'x'.repeat(70_000) } })
  assert.deepEqual([large.statusCode, large.json().code], [413, 'BODY_TOO_LARGE'])
  assert.match(large.json().detail, /large/)
  const kind = await app.inject({
    method: 'POST',
    url: '/check',
    headers: { 'content-type': 'image/png' },
    payload: 'x',
  })
  assert.equal(kind.statusCode, 415)
  assert.match(kind.json().detail, /image\/png/)
})

test('text of a query becomes what the schema asks for', async (t) => {
  const app = await failing(t, new Error('unused'))
  assert.deepEqual((await app.inject('/query?partial=true')).json(), { partial: true })
  assert.deepEqual((await app.inject('/query')).json(), { partial: false })
  const wrong = await app.inject('/query?partial=perhaps')
  assert.deepEqual([wrong.statusCode, wrong.json().exception_detail[0].loc], [422, ['query', 'partial']])
})

test('a refused batch lists every event that is wrong', async (t) => {
  const events = [
    { index: 1, id: 'a', problems: ['event is missing', 'resource has no prefect.resource.id'] },
    { index: 7, id: null, problems: ['not an object'] },
  ]
  const answer = await (await failing(t, new BatchInvalid('2 of 9 events are invalid.', { events }))).inject('/fail')
  assert.deepEqual([answer.statusCode, answer.json().code], [422, 'BATCH_INVALID'])
  assert.deepEqual(
    answer.json().exception_detail.map(({ loc, msg }: { loc: unknown[]; msg: string }) => [...loc, msg]),
    [
      ['body', 1, 'event is missing'],
      ['body', 1, 'resource has no prefect.resource.id'],
      ['body', 7, 'not an object'],
    ],
  )
})
