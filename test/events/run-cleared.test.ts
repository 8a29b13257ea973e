import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clearedFrom, FLOW_RUN_CLEARED } from '#src/events/run-cleared.ts'

const KEY = '5c7a2f0e-9f5d-4f0a-8f50-2c8f4b1a6b77'

test('the rows that an event clears are those of its table whose keys have the right form', () => {
  const event = { event: FLOW_RUN_CLEARED, payload: { cleared: { log: [KEY, 'no key'], artifact: 'none' } } }
  assert.deepEqual(clearedFrom('log', event), [KEY])
  assert.deepEqual(clearedFrom('artifact', event), [])
  assert.deepEqual(clearedFrom('task_run', event), [])
})

test('what clears nothing is not even parsed', () => {
  const event = {
    event: 'order.placed',
    get payload(): never {
      throw new Error('it was parsed')
    },
  }
  assert.deepEqual(clearedFrom('log', event), [])
})
