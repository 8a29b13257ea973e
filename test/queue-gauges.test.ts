import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics } from '#src/metrics.ts'

test('queues of one name are added up when somebody looks, and are gone when their owners are', async () => {
  const { queues, registry } = createMetrics({ defaults: false })
  const first = { items: 1, bytes: 10 }
  queues.watch('append', () => first)
  const unwatch = queues.watch('append', () => ({ items: 2, bytes: 20 }))
  const gone = queues.watch('held', () => ({ items: 7 }))
  const now = async () => (await registry.metrics()).split('\n').filter((line) => line.startsWith('millrace_queue_'))
  assert.deepEqual(await now(), [
    'millrace_queue_items{queue="append"} 3',
    'millrace_queue_items{queue="held"} 7',
    'millrace_queue_bytes{queue="append"} 30',
  ])
  first.items = 5
  unwatch()
  gone()
  assert.deepEqual(await now(), ['millrace_queue_items{queue="append"} 5', 'millrace_queue_bytes{queue="append"} 10'])
})
