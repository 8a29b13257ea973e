import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiClient } from './orchestration/client.ts'

test('a reset leaves nothing, and what is made again is made anew', async (t) => {
  const api = await apiClient(t, { MILLRACE_TESTING: 'true' })
  const make = async () => {
    const flow = await api.call(201, 'POST', '/flows/', { name: 'etl' })
    const run = await api.call(201, 'POST', '/flow_runs/', { flow_id: flow.id, idempotency_key: 'k' })
    await api.call(201, 'POST', `/flow_runs/${run.id}/set_state`, { state: { type: 'RUNNING' } })
    await api.call(201, 'POST', '/work_pools/', { name: 'pool' })
    await api.call(204, 'POST', '/work_pools/pool/workers/heartbeat', { name: 'w' })
  }
  for (let round = 0; round < 3; round++) {
    await make()
    await api.call(204, 'POST', '/millrace/testing/reset')
    assert.equal(await api.call(200, 'POST', '/flow_runs/count', {}), 0)
    assert.deepEqual(await api.call(200, 'POST', '/work_queues/filter', {}), [])
    assert.equal((await api.call(200, 'POST', '/events/filter', {})).total, 0)
  }
})
