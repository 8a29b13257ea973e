import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProjectedEvent } from '#src/consumer/projected-event.ts'

const ARRIVAL = { partition: 0, ms: 1, seq: 1, index: 0, received: '2026-11-24T00:00:00.000000Z' }

function withRelated(related: unknown): ProjectedEvent {
  const record = { occurred: ARRIVAL.received, id: '', event: 'a', resourceId: 'a', follows: null, resource: '{}' }
  return new ProjectedEvent({ ...record, related: JSON.stringify(related), payload: '{}' }, ARRIVAL)
}

test('related resources are those of the event, however many others come between, and nobody can change them for others', () => {
  const related = (i: number) => [{ 'prefect.resource.id': `run ${i}`, note: i % 2 === 0 ? 'long '.repeat(300) : '' }]
  for (let i = 0; i < 6_000; i++) assert.deepEqual(withRelated(related(i % 1_500)).related, related(i % 1_500))
  for (const i of [0, 1]) {
    const [first] = withRelated(related(i)).related as Record<string, string>[]
    assert.throws(() => Object.assign(first as object, { note: 'changed' }), TypeError)
  }
})
