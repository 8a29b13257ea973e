import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, apiClient } from './client.ts'

test('deployments', async (t) => {
  const api = await apiClient(t)
  const flow = await api.call(201, 'POST', '/flows/', { name: 'etl' })

  await t.test('one is made by flow and name, and made over by the same', async () => {
    const body = { name: 'nightly', flow_id: flow.id, tags: ['a'], schedules: [{ schedule: { cron: '0 3 * * *' } }] }
    const made = await api.call(201, 'POST', '/deployments/', body)
    assert.equal(made.status, 'NOT_READY')
    assert.equal(made.schedules.length, 1)
    assert.equal(made.schedules[0].deployment_id, made.id)
    assert.deepEqual(made.labels, { 'prefect.flow.id': flow.id })
    const again = await api.call(200, 'POST', '/deployments/', body)
    assert.deepEqual(again, made)
    const other = await api.call(200, 'POST', '/deployments/', { ...body, tags: ['b'], version: 'v2' })
    assert.deepEqual([other.id, other.tags, other.version], [made.id, ['b'], 'v2'])
    assert.deepEqual(await api.call(200, 'GET', '/deployments/name/etl/nightly'), other)
    assert.deepEqual(await api.call(200, 'GET', `/deployments/${made.id}`), other)
    await api.call(404, 'GET', '/deployments/name/etl/none')
  })

  await t.test('what names what is not there, or does not fit, is refused', async () => {
    const body = { name: 'x', flow_id: flow.id }
    await api.call(404, 'POST', '/deployments/', { ...body, work_pool_name: 'none' })
    await api.call(422, 'POST', '/deployments/', { ...body, schedules: [{ schedule: { cron: 'never' } }] })
    await api.call(422, 'POST', '/deployments/', { ...body, surprise: 1 })
    await api.call(422, 'POST', '/deployments/', { ...body, name: 'a/b' })
    await api.call(409, 'POST', '/deployments/', {
      ...body,
      schedules: [
        { schedule: { cron: '0 1 * * *' }, slug: 's' },
        { schedule: { cron: '0 2 * * *' }, slug: 's' },
      ],
    })
    await api.call(404, 'PATCH', '/deployments/00000000-0000-4000-8000-000000000000', { paused: true })
  })

  await t.test('schedules are added, changed and removed one by one', async () => {
    const { id } = await api.call(201, 'POST', '/deployments/', { name: 'schedules', flow_id: flow.id })
    const path = `/deployments/${id}/schedules`
    const [made] = await api.call(201, 'POST', path, [{ schedule: { interval: 3600 }, slug: 'hourly' }])
    await api.call(409, 'POST', path, [{ schedule: { interval: 60 }, slug: 'hourly' }])
    await api.call(204, 'PATCH', `${path}/${made.id}`, { active: false })
    assert.deepEqual(
      (await api.call(200, 'GET', path)).map((each: Answer) => each.active),
      [false],
    )
    await api.call(204, 'DELETE', `${path}/${made.id}`)
    await api.call(404, 'DELETE', `${path}/${made.id}`)
    assert.deepEqual(await api.call(200, 'GET', path), [])
  })

  await t.test('a run is made of it, with parameters that fit', async () => {
    const parameter_openapi_schema = { type: 'object', properties: { x: { type: 'integer', default: 1 } } }
    const body = { name: 'runs', flow_id: flow.id, tags: ['d'], parameters: { x: 2 }, parameter_openapi_schema }
    const { id } = await api.call(201, 'POST', '/deployments/', body)
    const path = `/deployments/${id}/create_flow_run`
    const run = await api.call(201, 'POST', path, { tags: ['r'], idempotency_key: 'k' })
    assert.deepEqual([run.state.type, run.parameters, run.tags], ['SCHEDULED', { x: 2 }, ['d', 'r']])
    assert.deepEqual(run.labels, { 'prefect.flow.id': flow.id, 'prefect.deployment.id': id })
    assert.equal((await api.call(200, 'POST', path, { idempotency_key: 'k' })).id, run.id)
    const { detail } = await api.call(409, 'POST', path, { parameters: { x: 'many' } })
    assert.match(detail, /^Error creating flow run: Validation failed for field 'x'/)
    await api.call(201, 'POST', path, { parameters: { x: 'many' }, enforce_parameter_schema: false })
    await api.call(400, 'POST', path, { work_queue_name: 'q' })
    const polled = await api.call(200, 'POST', '/deployments/get_scheduled_flow_runs', {
      deployment_ids: [id],
      scheduled_before: new Date(Date.now() + 10_000).toISOString().replace('T', ' '),
    })
    assert.equal(polled.length, 2)
    const after = await api.call(200, 'GET', `/deployments/${id}`)
    assert.equal(after.status, 'READY')
    assert.notEqual(after.last_polled, null)
    assert.equal(after.updated, (await api.call(200, 'GET', `/deployments/${id}`)).updated)
  })

  await t.test('its runs ahead are scheduled once, and go with it', async () => {
    const schedules = [{ schedule: { interval: 86_400 } }]
    const { id } = await api.call(201, 'POST', '/deployments/', { name: 'ahead', flow_id: flow.id, schedules })
    const count = () => api.call(200, 'POST', '/flow_runs/count', { flow_runs: { deployment_id: { any_: [id] } } })
    await Promise.all([1, 2, 3].map(() => api.call(200, 'POST', `/deployments/${id}/schedule`, {})))
    assert.equal(await count(), 3)
    await api.call(200, 'POST', `/deployments/${id}/pause_deployment`)
    assert.equal(await count(), 0)
    await api.call(200, 'POST', `/deployments/${id}/resume_deployment`)
    await api.call(200, 'POST', `/deployments/${id}/schedule`, { min_runs: 5 })
    assert.equal(await count(), 5)
    await api.call(204, 'DELETE', `/deployments/${id}`)
    assert.equal(await count(), 0)
    await api.call(404, 'DELETE', `/deployments/${id}`)
  })

  await t.test('its runs share the slots of its limit, and wait for them or are cancelled', async () => {
    const body = { name: 'limited', flow_id: flow.id, concurrency_limit: 1 }
    const made = await api.call(201, 'POST', '/deployments/', body)
    assert.deepEqual([made.concurrency_limit, made.global_concurrency_limit.limit], [null, 1])
    const newRun = async () => (await api.call(201, 'POST', `/deployments/${made.id}/create_flow_run`, {})).id
    const propose = (id: string, type: string, more: object = {}) =>
      api.call(201, 'POST', `/flow_runs/${id}/set_state`, { state: { type }, ...more })
    const taken = async () =>
      (await api.call(200, 'GET', `/deployments/${made.id}`)).global_concurrency_limit.active_slots
    const [first, second, third] = [await newRun(), await newRun(), await newRun()]

    const pending = await propose(first, 'PENDING')
    const lease = pending.state.state_details.deployment_concurrency_lease_id
    assert.equal(pending.status, 'ACCEPT')
    assert.notEqual(lease, null)
    const waiting = await propose(second, 'PENDING')
    assert.deepEqual(
      [waiting.status, waiting.state.type, waiting.state.name, waiting.details.reason],
      ['REJECT', 'SCHEDULED', 'AwaitingConcurrencySlot', 'Deployment concurrency limit reached.'],
    )
    const running = await propose(first, 'RUNNING')
    assert.equal(running.state.state_details.deployment_concurrency_lease_id, lease)
    await api.call(204, 'POST', `/v2/concurrency_limits/leases/${lease}/renew`, { lease_duration: 300 })
    assert.equal(await taken(), 1)
    await propose(first, 'COMPLETED')
    assert.equal(await taken(), 0)

    assert.equal((await propose(second, 'PENDING')).status, 'ACCEPT')
    await api.call(200, 'POST', '/deployments/', { ...body, concurrency_options: { collision_strategy: 'CANCEL_NEW' } })
    const cancelled = await propose(third, 'PENDING')
    assert.deepEqual([cancelled.status, cancelled.state.type], ['REJECT', 'CANCELLED'])
    // A forced end gives the slot back too, and so does the run that is deleted.
    await propose(second, 'CRASHED', { force: true })
    assert.equal(await taken(), 0)
    const last = await newRun()
    await propose(last, 'PENDING')
    await api.call(204, 'DELETE', `/flow_runs/${last}`)
    assert.equal(await taken(), 0)
    await api.call(204, 'DELETE', `/deployments/${made.id}`)
    await api.call(404, 'GET', `/v2/concurrency_limits/${made.global_concurrency_limit.id}`)
  })

  await t.test('they are found by every filter, in pages', async () => {
    const found = async (deployments: object) =>
      (await api.call(200, 'POST', '/deployments/filter', { deployments, sort: null, limit: null })).map(
        ({ name }: Answer) => name,
      )
    assert.deepEqual(await found({ name: { any_: ['runs', 'nightly'] } }), ['nightly', 'runs'])
    assert.deepEqual(await found({ flow_or_deployment_name: { like_: 'NIGHT' } }), ['nightly'])
    assert.deepEqual(await found({ tags: { all_: ['d'] } }), ['runs'])
    assert.deepEqual(await found({ paused: { eq_: true } }), [])
    assert.deepEqual(await found({ concurrency_limit: { is_null_: false } }), [])
    const page = await api.call(200, 'POST', '/deployments/paginate', { limit: 2, page: 2 })
    assert.deepEqual([page.results.length, page.count, page.pages], [1, 3, 2])
    assert.equal(await api.call(200, 'POST', '/deployments/count', { flows: { name: { any_: ['none'] } } }), 0)
    await api.call(422, 'POST', '/deployments/filter', { limit: 201 })
  })
})
