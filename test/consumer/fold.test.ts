import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from '@sinclair/typebox'
import { createFold, indexesOf } from '#src/consumer/fold.ts'
import { ProjectedEvent } from '#src/consumer/projected-event.ts'
import { defineProjection, type Projection } from '#src/consumer/projection.ts'
import { keyText, MemoryRows } from '#src/consumer/rows.ts'
import { defineEvent } from '#src/events/define-event.ts'

const Placed = defineEvent({
  type: 'order.placed',
  version: 2,
  data: Type.Object({ totalCents: Type.Integer() }),
  upcast: { 1: ({ total }) => ({ totalCents: Number(total) * 100 }) },
})

const order = defineProjection({
  name: 'order',
  version: 1,
  table: 'customer_order',
  row: Type.Object({ id: Type.String(), number: Type.String(), total_cents: Type.Integer() }),
  keyColumns: ['id'],
  lookups: { same: { columns: ['number'], of: ({ resource }) => resource['number'] ?? null } },
  key: ({ resourceId }, { same }) => String(same?.['id'] ?? resourceId),
  evolve: (on) => [
    on(Placed, (row, { data, resourceId, resource }) => {
      if (data.totalCents < 0) throw new Error('less than nothing')
      return row ?? { id: resourceId, number: resource['number'] ?? '', total_cents: data.totalCents }
    }),
    on('order.cancelled', () => null),
    on('order.*', (row) => row && { ...row, total_cents: row.total_cents + 1 }),
  ],
})

const line = defineProjection({
  name: 'order-line',
  version: 1,
  table: 'order_line',
  row: Type.Object({ order_id: Type.String(), line: Type.Integer() }),
  keyColumns: ['order_id', 'line'],
  lookups: { order: { in: order, columns: ['number'], of: ({ resource }) => resource['number'] ?? null } },
  keys: ({ payload, resourceId }, found) =>
    ((payload['lines'] ?? []) as number[]).map((n) => [String(found['order']?.['id'] ?? resourceId), n]),
  evolve: (on) => [on('order.placed', (_, __, { key: [id, n] }) => ({ order_id: String(id), line: Number(n) }))],
})

let count = 0
function event(name: string, id: string, labels: Record<string, string> = {}, payload: unknown = {}): ProjectedEvent {
  const record = {
    occurred: '2026-11-24T00:00:00.000000Z',
    id: `00000000-0000-4000-8000-${String(count).padStart(12, '0')}`,
    event: name,
    resourceId: id,
    follows: null,
    resource: JSON.stringify({ 'prefect.resource.id': id, ...labels }),
    related: '[]',
    payload: JSON.stringify(payload),
  }
  return new ProjectedEvent(record, { partition: 0, ms: 1, seq: count++, index: 0, received: record.occurred })
}

function folded(projections: readonly Projection[], events: readonly ProjectedEvent[]) {
  const failures: string[] = []
  const tables = new Map<Projection, MemoryRows>()
  const fold = createFold(projections, (projection) => {
    const rows = new MemoryRows(projection, indexesOf(projection, projections))
    tables.set(projection, rows)
    return rows
  })
  for (const each of events)
    fold.apply(each, ({ name }, error) => failures.push(`${name}: ${(error as Error).message}`))
  const rowsOf = (projection: Projection) => [...(tables.get(projection)?.rows.values() ?? [])]
  return { rowsOf, failures, names: fold.projections.map(({ name }) => name) }
}

test('an event of an old version is read as one of today', () => {
  const { rowsOf } = folded(
    [order],
    [event('order.placed', 'a', { number: '7' }, { total: 3 }), event('order.paid', 'a', { number: '7' })],
  )
  assert.deepEqual(rowsOf(order), [{ id: 'a', number: '7', total_cents: 301 }])
})

test('rows are found by another key, and what is looked up is as it was when the event came', () => {
  const { rowsOf, names } = folded(
    [line, order],
    [
      event('order.placed', 'a', { number: '7' }, { total: 3, lines: [1, 2] }),
      event('order.placed', 'b', { number: '7' }, { total: 9, lines: [2, 3] }),
      event('order.cancelled', 'b', { number: '7' }),
      event('order.placed', 'b', { number: '7', 'millrace.event.version': '2' }, { totalCents: 5, lines: [1] }),
    ],
  )
  assert.deepEqual(names, ['order', 'order-line'])
  assert.deepEqual(rowsOf(order), [{ id: 'b', number: '7', total_cents: 5 }])
  assert.deepEqual(
    rowsOf(line).map(({ order_id, line }) => `${order_id}${line}`),
    ['a1', 'a2', 'a3', 'b1'],
  )
})

test('a projection that fails changes nothing and stops no other', () => {
  const { rowsOf, failures } = folded(
    [order, line],
    [event('order.placed', 'a', { 'millrace.event.version': '2' }, { totalCents: -1, lines: [1] })],
  )
  assert.deepEqual(failures, ['order: less than nothing'])
  assert.deepEqual(rowsOf(order), [])
  assert.equal(rowsOf(line).length, 1)
})

test('a payload that is not what the definition says is an error that says so', () => {
  const wrong = [
    event('order.placed', 'a', { 'millrace.event.version': '2' }, { totalCents: 'x' }),
    event('order.placed', 'a', { 'millrace.event.version': '3' }, { totalCents: 1 }),
  ]
  assert.deepEqual(folded([order], wrong).failures, [
    'order: order.placed: payload/totalCents: Expected integer',
    'order: order.placed: this release reads versions 1 to 2, the event has 3',
  ])
})

test('text that Postgres can not hold is replaced, the same in keys and in rows', () => {
  const { rowsOf } = folded([order], [event('order.placed', 'a\0b\ud800', { number: '\0' }, { total: 1 })])
  assert.deepEqual(rowsOf(order), [{ id: 'a\u2400b\ufffd', number: '\u2400', total_cents: 100 }])
  assert.equal(keyText(['a\0b', 1]), 'a\u2400b\x001')
})

test('what an event asks for is known before any row is', () => {
  const wanted: string[] = []
  const each = event('order.placed', 'a', { number: '7' }, { total: 3, lines: [1] })
  const fold = createFold([line], () => new MemoryRows(line, []))
  fold.ask(
    each,
    ({ name }, columns, key) => wanted.push(`${name} ${columns} ${key}`),
    (of) => of !== line,
  )
  assert.deepEqual(wanted, ['order number 7', 'order-line order_id,line a,1'])
})
