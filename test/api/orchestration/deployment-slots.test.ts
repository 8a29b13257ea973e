import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { type Answer, apiClient } from './client.ts'

test('slots of a deployment', async (t) => {
  const api = await apiClient(t)
  const flow = await api.call(201, 'POST', '/flows/', { name: 'etl' })
  const propose = (id: string, type: string, more: object = {}, status = 201): Promise<Answer> =>
    api.call(status, 'POST', `/flow_runs/${id}/set_state`, { state: { type }, ...more })
  const renew = (status: number, lease: string) =>
    api.call(status, 'POST', `/v2/concurrency_limits/leases/${lease}/renew`, { lease_duration: 300 })
  const newRun = async (deployment: string): Promise<string> =>
    (await api.call(201, 'POST', `/deployments/${deployment}/create_flow_run`, {})).id

  async function deployed(name: string) {
    const body = { name, flow_id: flow.id, concurrency_limit: 1 }
    const { id, global_concurrency_limit: limit } = await api.call(201, 'POST', '/deployments/', body)
    const taken = async () => (await api.call(200, 'GET', `/v2/concurrency_limits/${limit.id}`)).active_slots
    return { id: id as string, limit: limit.id as string, body, taken }
  }

  async function running(deployment: string) {
    const id = await newRun(deployment)
    const { state } = await propose(id, 'PENDING')
    await propose(id, 'RUNNING')
    return { id, lease: state.state_details.deployment_concurrency_lease_id as string }
  }

  await t.test('a run whose deployment is deleted goes on and renews its lease, until it is over', async () => {
    const { id, limit } = await deployed('deleted')
    const run = await running(id)
    await api.call(204, 'DELETE', `/deployments/${id}`)
    await api.call(404, 'GET', `/v2/concurrency_limits/${limit}`)
    await renew(204, run.lease)
    await propose(run.id, 'COMPLETED')
    await renew(410, run.lease)
  })

  await t.test('so does one whose deployment has no limit any more, and one that was not running yet', async () => {
    const { id, body } = await deployed('unlimited')
    const run = await running(id)
    await api.call(200, 'POST', '/deployments/', { ...body, concurrency_limit: null })
    await renew(204, run.lease)
    const { id: limited } = await deployed('limited-otherwise')
    const pending = await newRun(limited)
    const { state } = await propose(pending, 'PENDING')
    const lease = state.state_details.deployment_concurrency_lease_id
    const { global_concurrency_limit } = await api.call(200, 'GET', `/deployments/${limited}`)
    await api.call(204, 'DELETE', `/v2/concurrency_limits/${global_concurrency_limit.id}`)
    await propose(pending, 'RUNNING')
    await renew(204, lease)
    await api.call(204, 'POST', '/v2/concurrency_limits/decrement-with-lease', { lease_id: lease })
    await renew(410, lease)
  })

  await t.test('slots that are set by hand leave leases to their holders', async () => {
    const { id, limit, taken } = await deployed('by-hand')
    const run = await running(id)
    await api.call(204, 'PATCH', `/v2/concurrency_limits/${limit}`, { active_slots: 0 })
    assert.equal(await taken(), 0)
    await renew(204, run.lease)
    await propose(run.id, 'COMPLETED')
    assert.equal(await taken(), 0)
  })

  await t.test('a forced change leaves a run its slot, and the end gives it back', async () => {
    const { id, taken } = await deployed('forced')
    const run = await running(id)
    const { state } = await propose(run.id, 'RUNNING', { force: true })
    assert.equal(state.state_details.deployment_concurrency_lease_id, run.lease)
    await propose(run.id, 'COMPLETED')
    assert.equal(await taken(), 0)
  })

  await t.test('a change that is asked for twice at once takes one slot', async () => {
    const { id, taken } = await deployed('twice')
    const run = await newRun(id)
    const state = { type: 'PENDING', state_details: { transition_id: randomUUID() } }
    const ask = () =>
      fetch(`${api.url}/api/flow_runs/${run}/set_state`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ state }),
      })
    const statuses = (await Promise.all([ask(), ask(), ask()])).map(({ status }) => status)
    assert.deepEqual(statuses.sort(), [200, 200, 201])
    assert.equal(await taken(), 1)
    const { state: now } = await api.call(200, 'GET', `/flow_runs/${run}`)
    assert.equal(now.type, 'PENDING')
    await renew(204, now.state_details.deployment_concurrency_lease_id)
  })

  await t.test('a run whose deployment is gone is not begun', async () => {
    const { id } = await deployed('gone')
    const run = await newRun(id)
    await propose(run, 'FAILED') // what has not begun is deleted with its deployment
    await api.call(204, 'DELETE', `/deployments/${id}`)
    const { status, details } = await propose(run, 'PENDING', {}, 200)
    assert.deepEqual([status, details.reason], ['ABORT', 'Deployment not found.'])
  })
})
