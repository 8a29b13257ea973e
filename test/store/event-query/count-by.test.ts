import assert from 'node:assert/strict'
import { test } from 'node:test'
import { criteriaOf } from '#src/events/filter.ts'
import { countByEvent, countByResource, countByTime, type RangedCriteria } from '#src/store/event-query.ts'
import { logStore, makeDays, put } from './log.ts'

const START_MS = Date.parse('2026-03-01T00:00:00Z')
const NOW = Date.parse('2026-03-03T12:00:00Z')

test('events are counted by time, name and resource', async (t) => {
  const store = await logStore(t)
  await makeDays(store, START_MS, 2)
  const at = (occurred: string, event: string, id: string, name?: string) => ({
    id: `0198c1f2-0000-7000-8000-${occurred.replace(/\D/g, '').slice(-12).padStart(12, '0')}`,
    occurred,
    event,
    resource: { 'prefect.resource.id': id, ...(name !== undefined && { 'prefect.resource.name': name }) },
    related: [],
    payload: '{"n": "\\u0000"}',
  })
  await put(store, [
    at('2026-03-01T10:00:00.000001Z', 'order.placed', 'order.1', 'Old name'),
    at('2026-03-01T23:59:59.999999Z', 'order.placed', 'order.2'),
    at('2026-03-03T00:00:00.000000Z', 'order.paid', 'order.1', 'New name'),
  ])
  const range = { since: '2026-03-01T00:00:00.000000Z', until: '2026-03-03T12:00:00.000000Z' }
  const criteria: RangedCriteria = { ...criteriaOf({}), ...range }

  const days = await countByTime(store, criteria, { unit: 'day', count: 1 }, NOW)
  assert.deepEqual(
    days.map(({ count }) => count),
    [2, 0, 1],
  )
  assert.deepEqual(days[2], {
    value: '2',
    label: '2026-03-03T00:00:00+00:00',
    count: 1,
    start_time: '2026-03-03T00:00:00.000000Z',
    end_time: '2026-03-03T23:59:59.999999Z',
  })
  const thirds = await countByTime(store, criteria, { unit: 'hour', count: 20.001 }, NOW)
  assert.equal(
    thirds.reduce((sum, { count }) => sum + count, 0),
    3,
  )

  assert.deepEqual(await countByEvent(store, criteria), [
    {
      ...{ value: 'order.placed', label: 'order.placed', count: 2 },
      ...{ start_time: '2026-03-01T10:00:00.000001Z', end_time: '2026-03-01T23:59:59.999999Z' },
    },
    {
      ...{ value: 'order.paid', label: 'order.paid', count: 1 },
      ...{ start_time: '2026-03-03T00:00:00.000000Z', end_time: '2026-03-03T00:00:00.000000Z' },
    },
  ])
  const resources = await countByResource(store, criteria)
  assert.deepEqual(
    resources.map(({ value, label, count }) => [value, label, count]),
    [
      ['order.1', 'New name', 2],
      ['order.2', 'order.2', 1],
    ],
  )
  assert.deepEqual(await countByEvent(store, { ...criteriaOf({ event: { name: ['none'] } }), ...range }), [])
})
