import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseEventArray } from '#src/events/batch.ts'
import { decodeRecord, eventJson } from '#src/events/record.ts'
import { copyEntries, insertEntries, type LogEntry } from '#src/store/event-log.ts'
import { migrate } from '#src/store/migrate.ts'
import { createStore } from '#src/store/pool.ts'
import { world } from '#test/world.ts'
import { RandomJson } from './random-json.ts'
import { LIMITS, NOW_MS, onlyRecord, randomFrom, sample } from './samples.ts'

const RECEIVED = '2026-11-24T00:05:00.000000Z'

/** Events that a careless format would change: every character, every kind of instant, payloads of odd texts. */
function oddEvents(): string[] {
  const json = new RandomJson(randomFrom(5))
  const id = (n: number) => `01a20ade-0148-7748-b908-${String(n).padStart(12, '0')}`
  const label = '"\'\\,;{}\n\r\t\x7f\x80 \\. \u2028 grüße 漢😀\x01\x02\x1f'
  const plain = [
    sample({ resource: { 'prefect.resource.id': 'a\'b"c,d\\e{f} 😀', [label]: label, '': '' } }),
    sample({
      event: 'order "placed", \\N \\. NULL',
      related: [{ 'prefect.resource.id': '\\N', 'prefect.resource.role': label }],
    }),
    sample({ occurred: '9999-12-31T23:59:59.999999Z', follows: id(0) }),
    sample({ occurred: 1795478651.5, payload: { '\\.': '\\.\n\\.' } }),
    sample({ event: '漢'.repeat(853), resource: { 'prefect.resource.id': unlikeText(2_560) } }),
  ]
  const texts = plain.map((event, n) => JSON.stringify({ ...event, id: id(n + 1) }))
  const random = Array.from({ length: 200 }, (_, n) => {
    const event = JSON.stringify(sample({ id: id(n + 1_000) }))
    return `${event.slice(0, -1)},"payload":${json.object('payload', 0)}}`
  })
  return [...texts, ...random]
}

/** Text that no compression makes shorter, so that an index has to hold all of it. */
function unlikeText(length: number): string {
  const random = randomFrom(6)
  return Array.from({ length }, () => String.fromCharCode(0x21 + Math.floor(random() * 94))).join('')
}

test('a record says what the event said', () => {
  for (const text of oddEvents()) {
    const record = onlyRecord(parseEventArray(Buffer.from(`[${text}]`), LIMITS, NOW_MS))
    const sent = JSON.parse(text)
    const read = JSON.parse(eventJson(record, RECEIVED))
    assert.deepEqual(read, {
      related: [],
      payload: {},
      follows: null,
      ...sent,
      occurred: typeof sent.occurred === 'number' ? '2026-11-24T00:04:11.500000Z' : sent.occurred,
      received: RECEIVED,
    })
    assert.equal(record.resourceId, sent.resource['prefect.resource.id'])
  }
})

test("an event's JSON has the order of the envelope", () => {
  const record = onlyRecord(parseEventArray(Buffer.from(JSON.stringify([sample()])), LIMITS, NOW_MS))
  assert.equal(
    eventJson(record, RECEIVED),
    '{"occurred":"2026-11-24T00:04:11.208894Z","event":"order.placed","resource":{"prefect.resource.id":"order.1"},' +
      '"related":[],"payload":{},"id":"01a20ade-0148-7748-b908-e362c54191e6","follows":null,' +
      '"received":"2026-11-24T00:05:00.000000Z"}',
  )
})

test('bytes that are no record are refused', () => {
  assert.throws(() => decodeRecord(Buffer.from('{}\n')), RangeError)
})

test('Postgres takes every record as it is, and gives back what was sent', async (t) => {
  const { databaseUrl, defer } = await world(t)
  await migrate(databaseUrl, { timeoutMs: 0 })
  const store = await createStore({ url: databaseUrl, timeoutMs: 10_000, connectTimeoutMs: 5_000, poolSize: 1 })
  defer(() => store.close())
  const texts = oddEvents()
  const { events, verdicts } = parseEventArray(Buffer.from(`[${texts.join()}]`), LIMITS, NOW_MS)
  assert.equal(events.length, texts.length, JSON.stringify(verdicts))
  const entry: LogEntry = {
    partition: 0,
    id: { ms: NOW_MS, seq: 0 },
    received: RECEIVED,
    lengths: events.map(({ record }) => record.length),
    records: Buffer.concat(events.map(({ record }) => record)),
  }
  const client = await store.hot.connect()
  try {
    await copyEntries(client, [entry])
    await client.query('begin')
    assert.equal(await insertEntries(client, [entry]), 0, 'all are there already')
    await client.query('commit')
    const { rows } = await client.query(`
      select to_char(occurred at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as occurred, id, event,
             resource_id as "resourceId", follows, resource::text, related::text, payload::text
      from event order by entry_index`)
    assert.deepEqual(
      rows,
      events.map(({ record }) => decodeRecord(record)),
    )
  } finally {
    client.release()
  }
})
