import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type EventBatch, MalformedBatch, parseEventArray, parseEventFrames } from '#src/events/batch.ts'
import { decodeRecord } from '#src/events/record.ts'
import { RandomJson } from './random-json.ts'
import { LIMITS, NOW_MS, onlyRecord, randomFrom, sample } from './samples.ts'

const DAY_MS = 86_400_000

function parse(body: string | Buffer, limits = LIMITS): EventBatch {
  return parseEventArray(Buffer.from(body), limits, NOW_MS)
}

function uuid(n: number): string {
  return `01a20ade-0148-7748-b908-${String(n).padStart(12, '0')}`
}

/** The text of an event with this payload, written by hand where a serializer would change it. */
function withPayload(payload: string, members: Readonly<Record<string, unknown>> = {}): string {
  return `${JSON.stringify(sample(members)).slice(0, -1)}, "payload" :\t${payload}\n}`
}

function reasons({ verdicts }: EventBatch): string[] {
  return verdicts.map(({ status, reason }) => reason ?? status)
}

test('each event is judged by itself, in order', () => {
  const events = [
    sample({ id: uuid(1) }),
    { id: 'A2' },
    sample({ id: uuid(3) }),
    sample({ id: uuid(1), event: 'again' }),
    sample({ id: uuid(5), occurred: '2026-11-16T00:00:00Z' }),
    null,
    [],
    'x',
  ]
  const batch = parse(JSON.stringify(events))
  assert.deepEqual(batch.verdicts, [
    { id: uuid(1), status: 'accepted' },
    { id: 'A2', status: 'invalid', reason: 'id: must be a UUID, is "A2"' },
    { id: uuid(3), status: 'accepted' },
    { id: uuid(1), status: 'duplicate' },
    {
      id: uuid(5),
      status: 'expired',
      reason: 'occurred 2026-11-16T00:00:00.000000Z, longer ago than events are kept',
    },
    { id: null, status: 'invalid', reason: 'an event must be a JSON object' },
    { id: null, status: 'invalid', reason: 'an event must be a JSON object' },
    { id: null, status: 'invalid', reason: 'an event must be a JSON object' },
  ])
  assert.deepEqual(batch.indices, [0, 2])
  assert.deepEqual(
    batch.events.map(({ id, day, occurredMs }) => ({ id, day, occurredMs })),
    [1, 3].map((n) => ({ id: uuid(n), day: 20_781, occurredMs: 1795478651208 })),
  )
})

test('two forms of one id are the same id', () => {
  const { verdicts } = parse(JSON.stringify([sample(), sample({ id: String(sample()['id']).toUpperCase() })]))
  assert.deepEqual(
    verdicts.map(({ status }) => status),
    ['accepted', 'duplicate'],
  )
})

test('an event expires to the millisecond', () => {
  const at = (ms: number) => parse(JSON.stringify([sample({ occurred: ms / 1_000 })])).verdicts[0]?.status
  assert.equal(at(NOW_MS - 7 * DAY_MS), 'accepted')
  assert.equal(at(NOW_MS - 7 * DAY_MS - 1), 'expired')
})

test('an empty array is an empty batch', () => {
  assert.deepEqual(parse(' [ ] '), { ...parse('[]') })
  assert.deepEqual(parse('[]').verdicts, [])
})

test('a body that is no array of JSON in UTF-8 is refused whole', () => {
  const bodies: [string | Buffer, RegExp][] = [
    ['', /^the text is not JSON: /],
    ['[{]', /^the text is not JSON: /],
    ['[] []', /^the text is not JSON: /],
    ['\ufeff[]', /^the text is not JSON: /],
    ['["a\nb"]', /^the text is not JSON: /],
    ['{}', /^the body must be a JSON array of events$/],
    ['null', /^the body must be a JSON array of events$/],
    [Buffer.from([0x5b, 0x22, 0xc0, 0xa0, 0x22, 0x5d]), /^the text must be UTF-8$/],
    [Buffer.from('[]', 'utf16le'), /^the text is not JSON: /],
    ['['.repeat(1_000_000), /^the text is not JSON: /],
  ]
  for (const [body, message] of bodies) {
    assert.throws(
      () => parse(body),
      (error) => error instanceof MalformedBatch && message.test(error.message),
    )
  }
})

test('a payload stays byte for byte as it came', () => {
  const payloads = [
    '{}',
    '{"n": 123456789012345678901234567890.10, "e": 1E+2, "z": -0.0}',
    '{ "a" :\r\n [ 1 ,\t2 ] }',
    '{"nul": "\\u0000", "lone": "\\ud800", "pair": "\\ud83d\\ude00", "slash": "\\/"}',
    '{"same": 1, "same": 2, "payload": {"payload": "}"}}',
    '{"text": "grüße 漢😀 \u2028 \x7f", "": ""}',
    '{"end": "\\\\.", "quote": "\\"\\\\\\""}',
  ]
  for (const payload of payloads) {
    assert.equal(onlyRecord(parse(`[ ${withPayload(payload)} ]`)).payload, payload)
    assert.equal(onlyRecord(parseEventFrames([Buffer.from(withPayload(payload))], LIMITS, NOW_MS)).payload, payload)
  }
})

test('payloads of thousands of odd texts mean what they meant', () => {
  const json = new RandomJson(randomFrom(4))
  for (let i = 0; i < 300; i++) {
    const payloads = Array.from({ length: 10 }, () => json.object('payload', 0))
    const body = `[${payloads.map((payload, n) => withPayload(payload, { id: uuid(n) })).join(',\n')}]`
    const records = parse(body).events.map(({ record }) => decodeRecord(record))
    assert.deepEqual(
      records.map(({ payload }) => payload),
      payloads,
    )
  }
})

test('a payload is the last of several, and found when its name is escaped', () => {
  const event = JSON.stringify(sample()).slice(0, -1)
  assert.equal(onlyRecord(parse(`[${event},"payload":[],"payload":{"a": 1}}]`)).payload, '{"a": 1}')
  assert.equal(onlyRecord(parse(`[${event},"payload":{"a": 1},"pay\\u006coad":{"b":2}}]`)).payload, '{"b":2}')
  assert.deepEqual(reasons(parse(`[${event},"payload":{},"payload":[]}]`)), ['payload: must be a JSON object, is []'])
})

test('NUL and lone surrogates are refused in labels and in names, however they are written', () => {
  const of = (label: string) =>
    `[{"id":"${uuid(1)}","occurred":0,"event":"a","resource":{"prefect.resource.id":"a",${label}}}]`
  const wrong = ['"x":"\\u0000"', '"x":"a\\ud800b"', '"x\\udfff":"a"', '"x":"\\uD83D\\u0041"']
  for (const label of wrong)
    assert.match(reasons(parse(of(label)))[0] ?? '', /holds a NUL character or a lone surrogate/)
  assert.match(reasons(parse(of('"x":"\\ud83d\\ude00 \\\\u0000"')))[0] ?? '', /^occurred 1970/)
  const name = JSON.stringify([sample()]).replace('order.placed', 'order\\ud800')
  assert.match(reasons(parse(name))[0] ?? '', /^event: control characters and lone surrogates/)
})

test('nesting is allowed to its limit', () => {
  const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
  assert.deepEqual(reasons(parse(`[${withPayload(nested(99))}]`)), ['accepted'])
  assert.deepEqual(reasons(parse(`[${withPayload(nested(100))}]`)), ['the event may be nested 100 levels deep, is 101'])
  const body = `[${withPayload(`{"a":${'['.repeat(500_000)}${']'.repeat(500_000)}}`)},${JSON.stringify(sample())}]`
  assert.deepEqual(reasons(parse(body)), ['the event may be nested 100 levels deep, is 500002', 'accepted'])
  assert.deepEqual(reasons(parse(`[${'['.repeat(500_000)}${']'.repeat(500_000)}]`)), ['an event must be a JSON object'])
})

test('an event may have as many bytes as the limit', () => {
  const event = withPayload('{"a": "漢"}')
  const bytes = Buffer.byteLength(event)
  assert.deepEqual(reasons(parse(`[ ${event} ]`, { ...LIMITS, maxBytes: bytes })), ['accepted'])
  assert.deepEqual(reasons(parse(`[ ${event} ]`, { ...LIMITS, maxBytes: bytes - 1 })), [
    `the event may have ${bytes - 1} bytes, has ${bytes}`,
  ])
})

test('a frame is one event, and a wrong one does not touch the others', () => {
  const frames = [JSON.stringify(sample({ id: uuid(1) })), '{"id":', '[]', '', JSON.stringify(sample({ id: uuid(2) }))]
  const bad = Buffer.from([0x7b, 0xff, 0x7d])
  const batch = parseEventFrames([...frames.map((frame) => Buffer.from(frame)), bad], LIMITS, NOW_MS)
  assert.deepEqual(
    reasons(batch).map((reason) => reason.split(':')[0]),
    [
      'accepted',
      'the text is not JSON',
      'an event must be a JSON object',
      'the text is not JSON',
      'accepted',
      'the text must be UTF-8',
    ],
  )
  assert.deepEqual(batch.indices, [0, 4])
})

test('the id of an invalid event is told shortened, and only when it is a text', () => {
  const { verdicts } = parse(JSON.stringify([{ id: 'x'.repeat(100) }, { id: 5 }, {}]))
  assert.deepEqual(
    verdicts.map(({ id }) => id),
    ['x'.repeat(64), null, null],
  )
})
