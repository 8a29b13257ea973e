import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  compileFilter,
  criteriaOf,
  type EventFilter,
  type FilterableEvent,
  parseFilter,
  withDefaultRange,
} from '#src/events/filter.ts'

const EVENT: FilterableEvent = {
  id: '0198c1f2-0000-7000-8000-000000000001',
  occurred: '2026-11-24T10:00:00.000001Z',
  event: 'prefect.flow-run.Completed',
  resource: {
    'prefect.resource.id': 'prefect.flow-run.1',
    'prefect.resource.name': 'crimson-otter',
    state: 'COMPLETED',
  },
  related: [
    { 'prefect.resource.id': 'prefect.flow.7', 'prefect.resource.role': 'flow', 'prefect.resource.name': 'nightly' },
    { 'prefect.resource.id': 'prefect.tag.eu', 'prefect.resource.role': 'tag' },
  ],
  payload: '{"message": "All Done", "path":"C:\\\\tmp", "ort": "GRÖSSE"}',
}

function holds(filter: EventFilter): boolean {
  return compileFilter(criteriaOf(parseFilter(filter)))(EVENT)
}

function check(table: readonly (readonly [EventFilter, boolean])[]): void {
  for (const [filter, expected] of table) assert.equal(holds(filter), expected, JSON.stringify(filter))
}

test('what is absent, null or an empty list restricts nothing', () => {
  check([
    [{}, true],
    [
      {
        event: null,
        resource: null,
        related: null,
        any_resource: null,
        id: null,
        text: null,
        order: null,
        occurred: null,
      },
      true,
    ],
    [
      {
        id: { id: [] },
        event: { name: [], prefix: null },
        resource: { id: [], labels: {} },
        related: [],
        any_resource: {},
      },
      true,
    ],
  ])
})

test('both ends of the range of time belong to it, in each form that clients send', () => {
  check([
    [{ occurred: { since: EVENT.occurred, until: EVENT.occurred } }, true],
    [{ occurred: { since: '2026-11-24 10:00:00.000002+00:00' } }, false],
    [{ occurred: { until: '2026-11-24T12:00:00+02:00' } }, false],
    [{ occurred: { since: 1795514399.5, until: 1795514400.5 } }, true],
  ])
})

test('names are told by name and by prefix, wanted and unwanted', () => {
  check([
    [{ event: { name: ['other', 'prefect.flow-run.Completed'] } }, true],
    [{ event: { prefix: ['prefect.flow-run.'], exclude_name: ['prefect.flow-run.Failed'] } }, true],
    [{ event: { prefix: ['prefect.task-run.'] } }, false],
    [{ event: { exclude_prefix: ['prefect.flow'] } }, false],
  ])
})

test('a label matches one of its values, with wildcards and negation, and only when it is there', () => {
  const labels = (labels: Record<string, string | string[]>): EventFilter => ({ resource: { labels } })
  check([
    [labels({ state: 'COMPLETED' }), true],
    [labels({ state: ['FAILED', 'COMP*'] }), true],
    [labels({ state: '!FAILED' }), true],
    [labels({ state: '!COMP*' }), false],
    [labels({ state: '*', 'prefect.resource.id': 'prefect.flow-run.*' }), true],
    [labels({ missing: '!anything' }), false],
    [labels({ state: [] }), false],
  ])
})

test('all that one related filter asks must hold for one related resource; several filters may mean several', () => {
  const [flow, tag] = [{ id: ['prefect.flow.7'] }, { id: ['prefect.tag.eu'] }]
  check([
    [{ related: { ...flow, role: ['flow'] } }, true],
    [{ related: { ...flow, role: ['tag'] } }, false],
    [{ related: [flow, tag] }, true],
    [{ related: { resources_in_roles: [['prefect.tag.eu', 'tag']] } }, true],
    [{ related: { labels: { 'prefect.resource.name': 'night*' } } }, true],
    [{ related: { id: ['prefect.flow-run.1'] } }, false],
    [{ any_resource: { id: ['prefect.flow-run.1'] } }, true],
    [{ any_resource: [{ id_prefix: ['prefect.tag.'] }, { labels: { state: 'COMPLETED' } }] }, true],
    [{ any_resource: { id: ['prefect.flow-run.1'], labels: { 'prefect.resource.name': 'nightly' } } }, false],
  ])
})

test('text search finds words in any case, in names, label values and the payload’s text', () => {
  const text = (query: string): EventFilter => ({ text: { query } })
  check([
    [text('  '), true],
    [text('nothing DONE'), true],
    [text('"all done" -failed'), true],
    [text('"done all"'), false],
    [text('+otter +nightly'), true],
    [text('otter +weekly'), false],
    [text('otter !completed'), false],
    [text('größe'), false],
    [text('grösse'), true],
    [text('"\\"path\\":"'), true],
    [text('C:\\\\tmp'), true],
    [text('- otter'), true],
    [text('.*'), false],
    [text('prefect.resource.id'), false],
  ])
})

test('a filter that can’t be read is refused with what is wrong', () => {
  const refused = (value: unknown, message: RegExp) =>
    assert.throws(() => criteriaOf(parseFilter(value)), { code: 'FILTER_INVALID', message })
  refused({ event: { name: 'no list' } }, /^event\.name: /)
  refused({ text: { query: 'x'.repeat(201) } }, /^text/)
  refused({ occurred: { since: 'yesterday' } }, /occurred\.since is "yesterday"/)
  refused({ event: { name: ['a\0'] } }, /event\.name\.0 has a NUL/)
  refused({ resource: { labels: { '\ud800': 'x' } } }, /half a surrogate pair/)
  refused('everything', /The filter/)
})

test('over HTTP a filter without a range means 180 days up to now', () => {
  const now = Date.parse('2026-11-24T10:11:12.345Z')
  assert.deepEqual(withDefaultRange({}, now).occurred, {
    since: '2026-05-28T00:00:00.000000Z',
    until: '2026-11-24T10:11:12.345000Z',
  })
  assert.equal(withDefaultRange({ occurred: { until: 5 } }, now).occurred?.until, 5)
})
