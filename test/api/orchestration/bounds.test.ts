/**
 * What is asked for may be more than a table or its indexes can hold. An event that says so can't be applied, and what
 * comes after it waits for it: so it is refused before there is one.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { apiClient } from './client.ts'

/** An index packs text that repeats itself, so this doesn't. */
const long = (length: number) => randomBytes(length).toString('hex').slice(0, length)
const TOO_LARGE = 2 ** 31

test('what no table can hold is refused, and what it was for goes on', async (t) => {
  const { call } = await apiClient(t)
  const { id: flow_id } = await call(201, 'POST', '/flows/', { name: 'etl' })
  const run = await call(201, 'POST', '/flow_runs/', { flow_id })
  const runPath = `/flow_runs/${run.id}`
  await call(201, 'POST', '/work_pools/', { name: 'pool', type: 'process' })
  await call(201, 'POST', '/work_pools/pool/queues', { name: 'queue' })
  await call(201, 'POST', '/v2/concurrency_limits/', { name: 'limit', limit: 1 })
  const deployment = await call(201, 'POST', '/deployments/', { flow_id, name: 'made', work_pool_name: 'pool' })
  const log = { name: 'x', level: TOO_LARGE, message: 'x', timestamp: '2026-11-24T00:00:00Z', flow_run_id: run.id }

  const refused: [string, string, object | object[]][] = [
    ['PATCH', runPath, { name: long(5_000) }],
    ['PATCH', runPath, { tags: [long(5_000)] }],
    ['POST', `${runPath}/set_state`, { state: { type: 'RUNNING', name: long(5_000) } }],
    ['POST', '/flow_runs/', { flow_id, idempotency_key: long(5_000) }],
    ['POST', '/flow_runs/', { flow_id, name: `a${'\0'}b` }],
    ['POST', '/flows/', { name: long(2_000) }],
    ['POST', '/flows/', { name: 'a\ud800' }],
    ['POST', '/deployments/', { flow_id, name: long(2_000) }],
    ['POST', '/deployments/', { flow_id, name: 'x', concurrency_limit: TOO_LARGE }],
    ['POST', '/deployments/', { flow_id, name: 'x', work_pool_name: 'pool', work_queue_name: long(5_000) }],
    ['POST', '/work_pools/', { name: long(5_000), type: 'process' }],
    ['PATCH', '/work_pools/pool', { concurrency_limit: TOO_LARGE }],
    ['PATCH', '/work_pools/pool/queues/queue', { priority: TOO_LARGE }],
    ['PATCH', '/work_pools/pool/queues/queue', { name: long(5_000) }],
    ['POST', '/work_pools/pool/workers/heartbeat', { name: 'worker', heartbeat_interval_seconds: TOO_LARGE }],
    ['POST', '/v2/concurrency_limits/', { name: 'other', limit: TOO_LARGE }],
    ['PATCH', '/v2/concurrency_limits/limit', { denied_slots: TOO_LARGE }],
    ['POST', '/concurrency_limits/', { tag: long(5_000), concurrency_limit: 1 }],
    ['POST', '/variables/', { name: 'x', value: 1, tags: [long(5_000)] }],
    ['POST', '/artifacts/', { key: long(5_000), data: 1 }],
    ['POST', '/task_runs/', { flow_run_id: run.id, task_key: long(2_000), dynamic_key: long(2_000) }],
    ['POST', '/logs/', [log]],
    ['POST', '/logs/filter', { logs: { level: { ge_: TOO_LARGE } } }],
    ['POST', '/flow_runs/filter', { offset: TOO_LARGE }],
  ]
  for (const [method, path, body] of refused) await call(422, method, path, body)

  await call(204, 'PATCH', runPath, { name: `${long(2_500)} ✓` })
  await call(204, 'PATCH', '/work_pools/pool', { concurrency_limit: TOO_LARGE - 1 })
  await call(204, 'PATCH', '/work_pools/pool/queues/queue', { priority: TOO_LARGE - 1 })
  await call(204, 'POST', '/work_pools/pool/workers/heartbeat', { name: 'worker' })
  await call(204, 'PATCH', '/v2/concurrency_limits/limit', { limit: TOO_LARGE - 1 })
  await call(204, 'PATCH', `/deployments/${deployment.id}`, { work_queue_name: long(1_200) })
  await call(201, 'POST', '/task_runs/', { flow_run_id: run.id, task_key: long(1_280), dynamic_key: long(1_280) })
  const flow = await call(201, 'POST', '/flows/', { name: long(1_280) })
  await call(201, 'POST', '/deployments/', { flow_id: flow.id, name: long(1_280), tags: [long(2_500)] })
  for (const type of ['RUNNING', 'COMPLETED'])
    assert.equal((await call(201, 'POST', `${runPath}/set_state`, { state: { type } })).status, 'ACCEPT')
})
