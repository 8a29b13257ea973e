import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, apiClient } from './client.ts'

test('runs of deployments', async (t) => {
  const api = await apiClient(t)
  const flow = await api.call(201, 'POST', '/flows/', { name: 'etl' })

  await t.test('job variables are those of its pool: partly with it, wholly with a run', async () => {
    const variables = {
      type: 'object',
      required: ['image'],
      properties: {
        image: { type: 'string' },
        cpu: { type: 'integer', default: 1 },
        memory: { type: 'integer', default: 'much' },
      },
    }
    const base_job_template = { job_configuration: { image: '{{ image }}' }, variables }
    await api.call(201, 'POST', '/work_pools/', { name: 'boxes', type: 'docker', base_job_template })
    const body = { name: 'boxed', flow_id: flow.id, work_pool_name: 'boxes' }
    const bad = await api.call(422, 'POST', '/deployments/', { ...body, job_variables: { cpu: 'many' } })
    assert.match(bad.detail, /^Error creating deployment: Validation failed for field 'cpu'\. Failure reason: /)
    const { id } = await api.call(201, 'POST', '/deployments/', { ...body, job_variables: { cpu: 2 } })
    const create = (status: number, job_variables?: object) =>
      api.call(status, 'POST', `/deployments/${id}/create_flow_run`, { job_variables })
    // With a default that can't be taken nobody can say what is missing.
    await create(201)
    await api.call(204, 'PATCH', '/work_pools/boxes', {
      base_job_template: {
        ...base_job_template,
        variables: { ...variables, properties: { image: { type: 'string' }, cpu: { type: 'integer', default: 1 } } },
      },
    })
    assert.match((await create(422)).detail, /^Error creating flow run: Validation failed/)
    assert.match(
      (await create(422, { image: 1 })).detail,
      /^Error creating flow run: Validation failed for field 'image'/,
    )
    const run = await create(201, { image: 'a', cpu: null })
    const path = `/flow_runs/${run.id}`
    const wrong = await api.call(422, 'PATCH', path, { job_variables: { image: 2 } })
    assert.match(wrong.detail, /^Error updating flow run: Validation failed for field 'image'/)
    await api.call(204, 'PATCH', path, { job_variables: { image: 'b' } })
    const { results } = await api.call(200, 'POST', `/deployments/${id}/create_flow_run/bulk`, [
      {},
      { job_variables: { image: 'a' } },
    ])
    assert.deepEqual(
      results.map(({ status }: Answer) => status),
      ['FAILED', 'CREATED'],
    )
  })

  await t.test('blocks that are not there are told of, and none is', async () => {
    const block = '00000000-0000-4000-8000-000000000000'
    for (const what of ['storage', 'infrastructure']) {
      const body = { name: 'blocked', flow_id: flow.id, [`${what}_document_id`]: block }
      const { detail } = await api.call(409, 'POST', '/deployments/', body)
      assert.ok(detail.startsWith(`Error creating deployment. Could not find ${what} block with id: ${block}. This`))
    }
    const made = await api.call(201, 'POST', '/deployments/', { name: 'blocked', flow_id: flow.id })
    await api.call(409, 'POST', `/deployments/${made.id}/create_flow_run`, { infrastructure_document_id: block })
  })

  await t.test('a nested run that is asked for again is the same one, until it has begun', async () => {
    const made = await api.call(201, 'POST', '/deployments/', { name: 'nested', flow_id: flow.id })
    const task = await api.call(201, 'POST', '/task_runs/', { task_key: 'nested', dynamic_key: '0' })
    const ask = async (status: number) => {
      const body = { parent_task_run_id: task.id, parameters: {} }
      return (await api.call(status, 'POST', `/deployments/${made.id}/create_flow_run`, body)).id
    }
    const first = await ask(201)
    assert.equal(await ask(200), first)
    for (const type of ['PENDING', 'RUNNING', 'FAILED'])
      await api.call(201, 'POST', `/flow_runs/${first}/set_state`, { state: { type } })
    assert.notEqual(await ask(201), first)
  })
})
