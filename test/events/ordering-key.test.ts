import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashOrderingKey, orderingKey } from '#src/events/ordering-key.ts'

const resource = { 'prefect.resource.id': 'prefect.task-run.1' }
const flowRun = { 'prefect.resource.id': 'prefect.flow-run.2', 'prefect.resource.role': 'flow-run' }
const flow = { 'prefect.resource.id': 'prefect.flow.3', 'prefect.resource.role': 'flow' }

test('an event is ordered by its resource', () => {
  assert.equal(orderingKey({ event: 'order.placed', resource, related: [flowRun] }), 'prefect.task-run.1')
  assert.equal(orderingKey({ event: 'prefect.flow-run.Running', resource, related: [flowRun] }), 'prefect.task-run.1')
})

test("a task run's event is ordered by its flow run, where it has one", () => {
  const event = 'prefect.task-run.Completed'
  assert.equal(orderingKey({ event, resource, related: [flow, flowRun] }), 'prefect.flow-run.2')
  assert.equal(orderingKey({ event, resource, related: [flow] }), 'prefect.task-run.1')
  for (const event of ['millrace.task-run.deleted', 'millrace.task-run.cleared'])
    assert.equal(orderingKey({ event, resource, related: [flowRun] }), 'prefect.flow-run.2')
  assert.equal(orderingKey({ event: 'prefect.task-runs', resource, related: [flowRun] }), 'prefect.task-run.1')
})

test('the hash of a key never changes, since events in the streams lie by it', () => {
  const pinned: Record<string, number> = {
    '': 2872998923,
    a: 444641715,
    'order.1': 1095855390,
    'prefect.flow-run.0198': 1792131317,
    '漢😀': 4040786977,
  }
  for (const [key, hash] of Object.entries(pinned)) assert.equal(hashOrderingKey(key), hash, key)
})

test('keys that differ in their last digits spread evenly over any number of partitions', () => {
  for (const partitions of [2, 8, 13, 64]) {
    const counts = new Array<number>(partitions).fill(0)
    const keys = 1_000 * partitions
    for (let i = 0; i < keys; i++) increment(counts, hashOrderingKey(`prefect.flow-run.${i}`) % partitions)
    // about 1,000 each, give or take 32: six times that hardly ever happens
    for (const count of counts) assert.ok(Math.abs(count - 1_000) < 190, `${partitions}: ${counts.join(' ')}`)
  }
})

function increment(counts: number[], at: number): void {
  counts[at] = (counts[at] ?? 0) + 1
}
