import assert from 'node:assert/strict'
import { test } from 'node:test'
import { v5 as uuidV5 } from 'uuid'
import { type EventBatch, MalformedBatch } from '#src/events/batch.ts'
import { parseCloudEvents } from '#src/events/cloudevents.ts'
import { LIMITS, NOW_MS, onlyRecord } from './samples.ts'

const STRUCTURED = 'application/cloudevents+json; charset=UTF-8'
const BATCHED = 'application/cloudevents-batch+json'
/** As `docs/events.md` tells it to the world: it may never change. */
const NAMESPACE = '608f49c8-6428-416d-bc34-6bb6d377c7b9'

const required = { specversion: '1.0', id: 'A1', source: '/shop/berlin', type: 'order.placed' }
const headers = { 'ce-specversion': '1.0', 'ce-id': 'A1', 'ce-source': '/shop/berlin', 'ce-type': 'order.placed' }

function parse(contentType: string | undefined, body: Buffer | string, more: Record<string, string> = {}): EventBatch {
  const batch = parseCloudEvents({ contentType, headers: more, body: Buffer.from(body) }, LIMITS, NOW_MS)
  assert.ok(batch !== null, 'no CloudEvent')
  return batch
}

function structured(members: object): EventBatch {
  return parse(STRUCTURED, JSON.stringify({ ...required, ...members }))
}

function binary(contentType: string | undefined, body: Buffer | string, more: Record<string, string> = {}): EventBatch {
  return parse(contentType, body, { ...headers, ...more })
}

function reasonOf(batch: EventBatch): string {
  const [verdict] = batch.verdicts
  assert.equal(verdict?.status, 'invalid')
  return verdict?.reason ?? ''
}

function labels(batch: EventBatch): Record<string, string> {
  return JSON.parse(onlyRecord(batch).resource)
}

test('a CloudEvent becomes an event of the envelope by the documented rule', () => {
  const record = onlyRecord(
    structured({
      subject: 'order/7',
      time: '2026-11-24T01:04:11.5+01:00',
      dataschema: 'https://a.b/c',
      data: { a: 1 },
    }),
  )
  assert.deepEqual(
    { ...record, resource: JSON.parse(record.resource) },
    {
      id: '9d450b6e-1bb1-5824-bd3a-7e0b3931e917',
      occurred: '2026-11-24T00:04:11.500000Z',
      event: 'order.placed',
      resourceId: '/shop/berlin/order/7',
      resource: {
        'prefect.resource.id': '/shop/berlin/order/7',
        'cloudevents.specversion': '1.0',
        'cloudevents.id': 'A1',
        'cloudevents.source': '/shop/berlin',
        'cloudevents.subject': 'order/7',
        'cloudevents.dataschema': 'https://a.b/c',
      },
      related: '[]',
      payload: '{"a":1}',
      follows: null,
    },
  )
})

test('source and id make the id, and nothing else does', () => {
  const id = uuidV5('/shop/berlin\nA1', NAMESPACE)
  assert.equal(onlyRecord(structured({})).id, id)
  assert.equal(onlyRecord(structured({ type: 'other', subject: 'x', data: [1] })).id, id)
  assert.equal(onlyRecord(binary('text/plain', 'x')).id, id)
  assert.notEqual(onlyRecord(structured({ id: 'A2' })).id, id)
  assert.notEqual(onlyRecord(structured({ source: '/shop' })).id, id)
})

test('the same CloudEvent twice in a batch is a duplicate', () => {
  const { verdicts, indices } = parse(BATCHED, JSON.stringify([required, { ...required, id: 'A2' }, required]))
  assert.deepEqual(
    verdicts.map(({ status }) => status),
    ['accepted', 'accepted', 'duplicate'],
  )
  assert.deepEqual(indices, [0, 1])
})

test('all three modes make the same event', () => {
  const data = '{"n": 123456789012345678901234567890.50, "t": "\\ud83d\\ude00"}'
  const members = `"specversion":"1.0","id":"A1","source":"/shop/berlin","type":"order.placed","subject":"ö","seq":5`
  const event = `{${members},"datacontenttype":"application/json","data" : ${data} }`
  const records = [
    parse(STRUCTURED, event),
    parse(BATCHED, ` [ ${event} ]`),
    binary('application/json', ` ${data}\n`, { 'ce-subject': '%c3%B6', 'ce-seq': '5' }),
  ].map((batch) => {
    const record = onlyRecord(batch)
    return { ...record, resource: JSON.parse(record.resource) }
  })
  assert.equal(records[0]?.payload, data, 'the bytes as they came')
  assert.deepEqual(records[1], records[0])
  assert.deepEqual(records[2], records[0])
})

test('without a subject the source is the resource, without a time the event occurred when it came', () => {
  const record = onlyRecord(structured({ subject: null, time: null }))
  assert.equal(record.resourceId, '/shop/berlin')
  assert.equal(record.occurred, '2026-11-24T00:05:00.000000Z')
})

test('extensions are labels, whatever they mean elsewhere', () => {
  const found = labels(
    structured({ traceparent: '00-ab-cd-01', partitionkey: 'p', count: -5, on: true, off: false, none: null }),
  )
  assert.deepEqual(Object.fromEntries(Object.entries(found).filter(([name]) => name.startsWith('cloudevents.ext.'))), {
    'cloudevents.ext.traceparent': '00-ab-cd-01',
    'cloudevents.ext.partitionkey': 'p',
    'cloudevents.ext.count': '-5',
    'cloudevents.ext.on': 'true',
    'cloudevents.ext.off': 'false',
  })
})

test('data that is no object is put into one, as it was written', () => {
  for (const data of ['5.10', '"text"', '[1, 2.0]', 'null', 'true', '""']) {
    const record = onlyRecord(parse(STRUCTURED, `${JSON.stringify(required).slice(0, -1)}, "data": ${data}\n}`))
    assert.equal(record.payload, `{"data":${data}}`)
    assert.equal(onlyRecord(binary('application/json', `${data}\r\n`)).payload, `{"data":${data}}`)
  }
  assert.equal(onlyRecord(structured({})).payload, '{}')
  assert.equal(onlyRecord(binary('application/json', '')).payload, '{}')
})

test('data that is repeated, or whose name is escaped, is read as JSON reads it', () => {
  const start = JSON.stringify(required).slice(0, -1)
  assert.equal(onlyRecord(parse(STRUCTURED, `${start},"data":{"a":1},"data":{"b":2}}`)).payload, '{"b":2}')
  assert.equal(onlyRecord(parse(STRUCTURED, `${start},"d\\u0061ta":{"a":1}}`)).payload, '{"a":1}')
})

test('data_base64 is kept, and must be what it says', () => {
  assert.equal(onlyRecord(structured({ data_base64: 'AAECA/8=' })).payload, '{"data_base64":"AAECA/8="}')
  assert.equal(onlyRecord(structured({ data_base64: null })).payload, '{}')
  for (const wrong of ['AAE', 'AA"=', '-_==', 5, {}]) {
    assert.equal(reasonOf(structured({ data_base64: wrong })), 'data_base64: must be a string in Base64')
  }
  assert.equal(reasonOf(structured({ data: 1, data_base64: 'AAEC' })), 'data: may not stand beside data_base64')
})

test('a body is kept as what its type declares it to be', () => {
  const text = 'grüße\n"<&>"\0'
  const bytes = Buffer.from([0xff, 0x00, 0x80])
  const cases: [string | undefined, Buffer | string, object][] = [
    ['application/vnd.github+json', '{"a":1}', { a: 1 }],
    ['APPLICATION/JSON;charset=utf-8', '[1]', { data: [1] }],
    ['text/plain', text, { data: text }],
    ['application/xml', '<a/>', { data: '<a/>' }],
    ['image/svg+xml; charset="utf8"', '<a/>', { data: '<a/>' }],
    ['application/x-www-form-urlencoded', 'a=1', { data: 'a=1' }],
    ['application/graphql; charset=utf-8', '{a}', { data: '{a}' }],
    ['text/plain', bytes, { data_base64: '/wCA' }],
    ['text/plain; charset=iso-8859-1', 'abc', { data_base64: 'YWJj' }],
    ['application/protobuf', 'abc', { data_base64: 'YWJj' }],
    ['application/octet-stream', bytes, { data_base64: '/wCA' }],
    [undefined, '{"xyz":123}', { data_base64: Buffer.from('{"xyz":123}').toString('base64') }],
  ]
  for (const [type, body, payload] of cases) {
    const batch = binary(type, body)
    assert.deepEqual(JSON.parse(onlyRecord(batch).payload), payload, type)
    assert.equal(labels(batch)['cloudevents.datacontenttype'], type)
  }
  assert.match(
    reasonOf(binary('application/json', '<a/>')),
    /^data: the content type says JSON, but the text is not JSON/,
  )
  assert.match(reasonOf(binary('application/json', bytes)), /^data: .*must be UTF-8$/)
})

test('header values are unquoted and percent-decoded once', () => {
  const cases = [
    ['Euro%20%E2%82%AC%20%F0%9F%98%80', 'Euro € 😀'],
    ['"a \\"quoted\\" value"', 'a "quoted" value'],
    ['"%22"', '"'],
    ['%2525', '%25'],
    ['100%', '100%'],
    ['%zz%4', '%zz%4'],
    [Buffer.from('grüße').toString('latin1'), 'grüße'],
    ['a b', 'a b'],
  ]
  for (const [raw, value] of cases) {
    assert.equal(labels(binary(undefined, '', { 'ce-note': raw as string }))['cloudevents.ext.note'], value)
  }
  for (const raw of ['%C0%A0', '%ff', '\xff', '%ED%A0%80']) {
    assert.equal(reasonOf(binary(undefined, '', { 'ce-note': raw })), 'ce-note: must be UTF-8, percent-encoded')
  }
})

test('what is wrong with an attribute is one sentence that names it', () => {
  const cases: [object, string][] = [
    [{ specversion: '0.3' }, `specversion: must be '1.0', is "0.3"`],
    [{ specversion: undefined }, `specversion: must be '1.0', is missing`],
    [{ id: '' }, 'id: must be a non-empty string, is ""'],
    [{ id: 5 }, 'id: must be a non-empty string, is 5'],
    [{ source: null }, 'source: must be a non-empty string, is missing'],
    [{ type: {} }, 'type: must be a non-empty string, is {}'],
    [{ type: 'x'.repeat(1_025) }, 'type: may have 1024 characters, has 1025'],
    [{ subject: '' }, 'subject: must be a non-empty string, is ""'],
    [{ datacontenttype: 1 }, 'datacontenttype: must be a non-empty string, is 1'],
    [{ time: 1795478651 }, 'time: must be a date of the years 1 to 9999 in RFC 3339, is 1795478651'],
    [
      { time: '10000-01-01T00:00:00Z' },
      'time: must be a date of the years 1 to 9999 in RFC 3339, is "10000-01-01T00:00:00Z"',
    ],
    [{ source: 'a\nb' }, 'source: control characters and lone surrogates are not allowed in an attribute'],
    [{ note: 'a\0b' }, 'note: control characters and lone surrogates are not allowed in an attribute'],
    [{ note: '\ud800' }, 'note: control characters and lone surrogates are not allowed in an attribute'],
    [{ note: 1.5 }, 'note: must be a string, an integer or a boolean, is 1.5'],
    [{ note: [1] }, 'note: must be a string, an integer or a boolean, is [1]'],
    [{ 'my-note': 'x' }, '"my-note": the name of an attribute has only lower-case letters and digits'],
    [{ __note: 'x' }, '"__note": the name of an attribute has only lower-case letters and digits'],
    [{ source: 'x'.repeat(2_561) }, "resource: 'prefect.resource.id' may have 2560 bytes of UTF-8, has 2561"],
  ]
  for (const [members, reason] of cases) assert.equal(reasonOf(structured(members)), reason)
  const named = reasonOf(binary('application/json', '{}', { 'ce-data': '5' }))
  assert.equal(named, 'data: is the body in binary mode, no attribute may have this name')
})

test('one that is invalid still has the id by which it would be found', () => {
  const [verdict] = structured({ time: 'never' }).verdicts
  assert.equal(verdict?.id, uuidV5('/shop/berlin\nA1', NAMESPACE))
  assert.equal(structured({ id: 5 }).verdicts[0]?.id, null)
})

test('limits hold as for any other event', () => {
  const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
  const deep = (levels: number) =>
    parse(STRUCTURED, `${JSON.stringify(required).slice(0, -1)},"data":${nested(levels)}}`)
  assert.equal(deep(99).verdicts[0]?.status, 'accepted')
  assert.equal(binary('application/json', nested(99)).verdicts[0]?.status, 'accepted')
  const tooDeep = 'the event may be nested 100 levels deep, is 101'
  assert.equal(reasonOf(deep(100)), tooDeep)
  assert.equal(reasonOf(binary('application/json', nested(100))), tooDeep)
  assert.match(
    reasonOf(structured({ data: 'x'.repeat(1_500_000) })),
    /^the event may have 1500000 bytes, has 15000\d\d$/,
  )
  assert.match(reasonOf(binary('image/png', Buffer.alloc(1_200_000))), /^the event may have 1500000 bytes/)
  assert.equal(structured({ time: '2026-11-16T00:00:00Z' }).verdicts[0]?.status, 'expired')
})

test('each event of a batch is judged by itself', () => {
  const { verdicts } = parse(
    BATCHED,
    JSON.stringify([required, { ...required, type: '' }, 5, null, [], { ...required, id: 'B' }]),
  )
  assert.deepEqual(
    verdicts.map(({ status, reason }) => reason ?? status),
    [
      'accepted',
      'type: must be a non-empty string, is ""',
      ...Array(3).fill('a CloudEvent must be a JSON object'),
      'accepted',
    ],
  )
  assert.deepEqual(parse(BATCHED, '[]').verdicts, [])
})

test('a request that announces no CloudEvent is none', () => {
  const none = (contentType: string | undefined, more = {}) =>
    parseCloudEvents({ contentType, headers: more, body: Buffer.from('[]') }, LIMITS, NOW_MS)
  assert.equal(none('application/json'), null)
  assert.equal(none(undefined), null)
  assert.equal(none('application/json', { 'ce-subject': 'x' }), null)
})

test('a binary one that lacks an attribute is told so', () => {
  const { 'ce-type': _, ...incomplete } = headers
  assert.equal(reasonOf(parse('text/plain', 'x', incomplete)), 'type: must be a non-empty string, is missing')
})

test('a body that is not what its type says is refused whole', () => {
  const wrong: [string, Buffer | string, RegExp][] = [
    [STRUCTURED, '{"id":', /^the text is not JSON/],
    [STRUCTURED, Buffer.from([0x22, 0xff, 0x22]), /^the text must be UTF-8$/],
    [BATCHED, JSON.stringify(required), /^the body must be a JSON array of CloudEvents$/],
    ['application/cloudevents+xml', '<a/>', /^CloudEvents are read as application\/cloudevents\+json and .* not as/],
    ['application/cloudevents-batch+avro', '', /not as application\/cloudevents-batch\+avro$/],
  ]
  for (const [type, body, message] of wrong) {
    assert.throws(
      () => parse(type, body),
      (error) => error instanceof MalformedBatch && message.test(error.message),
    )
  }
  assert.equal(reasonOf(parse(STRUCTURED, '5')), 'a CloudEvent must be a JSON object')
})

test('a lone surrogate in source or id makes its own event invalid, and no other', () => {
  for (const name of ['source', 'id', 'type', 'subject', 'xt']) {
    const wrong = { ...required, id: 'A2', [name]: 'a\ud800' }
    const good = { ...required, id: 'A3' }
    const alone = parse(STRUCTURED, JSON.stringify(wrong))
    assert.match(reasonOf(alone), new RegExp(`^${name}: control characters and lone surrogates`))
    const { verdicts, events } = parse(BATCHED, JSON.stringify([wrong, good]))
    assert.deepEqual(
      verdicts.map(({ status }) => status),
      ['invalid', 'accepted'],
    )
    assert.equal(events.length, 1)
  }
  assert.match(reasonOf(binary('text/plain', 'x', { 'ce-id': '%ED%A0%80' })), /^ce-id: must be UTF-8/)
})

test('an id is given for an invalid event only if it would be the id of a valid one', () => {
  const idOf = (members: object) => structured({ type: '', ...members }).verdicts[0]?.id
  assert.equal(idOf({}), uuidV5('/shop/berlin\nA1', NAMESPACE))
  assert.equal(idOf({ id: '\ud800' }), null)
  assert.equal(idOf({ id: 'A\n1' }), null)
  assert.equal(idOf({ id: 1 }), null)
})
