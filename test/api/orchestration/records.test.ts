import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitUntil } from '#test/wait-until.ts'
import { type Answer, apiClient } from './client.ts'

test('variables and artifacts', async (t) => {
  const api = await apiClient(t)

  await t.test('a variable has any JSON as its value, and its name to itself', async () => {
    const value = { list: [1, null, 'x'], big: 1 }
    const made = await api.call(201, 'POST', '/variables/', { name: 'config', value, tags: ['t'] })
    assert.deepEqual(made.value, value)
    assert.deepEqual(await api.call(200, 'GET', '/variables/name/config'), made)
    await api.call(409, 'POST', '/variables/', { name: 'config', value: 1 })
    await api.call(422, 'POST', '/variables/', { name: 'No Such', value: 1 })
    await api.call(422, 'POST', '/variables/', { name: 'large', value: 'x'.repeat(5_000) })
    await api.call(204, 'PATCH', '/variables/name/config', { value: null })
    assert.equal((await api.call(200, 'GET', `/variables/${made.id}`)).value, null)
    await api.call(204, 'PATCH', '/variables/name/config', { name: 'renamed' })
    await api.call(404, 'GET', '/variables/name/config')
    const again = await api.call(201, 'POST', '/variables/', { name: 'config', value: false })
    assert.notEqual(again.id, made.id)
    await api.call(409, 'PATCH', '/variables/name/config', { name: 'renamed' })
    const found = await api.call(200, 'POST', '/variables/filter', { variables: { name: { like_: 'ON' } }, limit: 10 })
    assert.deepEqual(
      found.map(({ name }: Answer) => name),
      ['config'],
    )
    assert.equal(await api.call(200, 'POST', '/variables/count', { variables: { tags: { all_: ['t'] } } }), 1)
    await api.call(204, 'DELETE', '/variables/name/config')
    await api.call(404, 'DELETE', '/variables/name/config')
    await api.call(201, 'POST', '/variables/', { name: 'config', value: 2 })
  })

  await t.test('of artifacts with one key the latest is known, also when it goes', async () => {
    const make = (key: string | null, data: unknown) =>
      api.call(201, 'POST', '/artifacts/', { key, type: 'table', data })
    const first = await make('report', [{ a: 1 }])
    const second = await make('report', 'two')
    await make(null, 3)
    assert.deepEqual(await api.call(200, 'GET', '/artifacts/report/latest'), second)
    const [collection, ...others] = await api.call(200, 'POST', '/artifacts/latest/filter', { sort: 'KEY_ASC' })
    assert.deepEqual([collection.key, collection.latest_id, others.length], ['report', second.id, 0])
    await api.call(204, 'PATCH', `/artifacts/${second.id}`, { data: { new: true } })
    assert.deepEqual((await api.call(200, 'GET', `/artifacts/${second.id}`)).data, { new: true })
    await api.call(204, 'DELETE', `/artifacts/${second.id}`)
    assert.equal((await api.call(200, 'GET', '/artifacts/report/latest')).id, first.id)
    assert.equal(await api.call(200, 'POST', '/artifacts/count', {}), 2)
    const keyed = { artifacts: { key: { exists_: true }, type: { any_: ['table'] } } }
    assert.equal((await api.call(200, 'POST', '/artifacts/filter', keyed)).length, 1)
    assert.equal(await api.call(200, 'POST', '/artifacts/latest/count', {}), 1)
    await api.call(204, 'DELETE', `/artifacts/${first.id}`)
    const resource = { id: [`prefect.artifact-collection.${collection.id}`] }
    const told = async () => {
      const { events } = await api.call(200, 'POST', '/events/filter', { filter: { resource, order: 'ASC' } })
      return events.length === 4 && events
    }
    const events: Answer[] = await waitUntil(told, { what: 'the log to have what the collection was' })
    assert.deepEqual(
      events.map(({ event, payload, related }) => [event, payload.data, related[0]['prefect.resource.id']]),
      [
        ['prefect.artifact-collection.created', [{ a: 1 }], `prefect.artifact.${first.id}`],
        ['prefect.artifact-collection.updated', 'two', `prefect.artifact.${second.id}`],
        ['prefect.artifact-collection.updated', [{ a: 1 }], `prefect.artifact.${first.id}`],
        ['prefect.artifact-collection.deleted', [{ a: 1 }], `prefect.artifact.${first.id}`],
      ],
    )
    await api.call(422, 'POST', '/artifacts/', { key: 'Not So' })
    await api.call(404, 'GET', '/artifacts/none/latest')
  })

  await t.test('artifacts are found by the runs, tasks, flows and deployments that made them', async () => {
    const { id: flow_id } = await api.call(201, 'POST', '/flows/', { name: 'makes' })
    const { id: deployment } = await api.call(201, 'POST', '/deployments/', { flow_id, name: 'makes' })
    const { id: run } = await api.call(201, 'POST', `/deployments/${deployment}/create_flow_run`, {})
    const { id: other } = await api.call(201, 'POST', '/flow_runs/', { flow_id, tags: ['other'] })
    const key = { task_key: 'makes', dynamic_key: '0', flow_run_id: run }
    const { id: task } = await api.call(201, 'POST', '/task_runs/', { ...key, name: 'maker' })
    const make = (data: string, flow_run_id: string, task_run_id?: string) =>
      api.call(201, 'POST', '/artifacts/', { key: data, data, flow_run_id, task_run_id })
    await make('a', run)
    await make('b', run, task)
    await make('c', other)
    const made = async (filters: object) => {
      const body = { ...filters, sort: 'KEY_ASC' }
      const found = (await api.call(200, 'POST', '/artifacts/filter', body)).map(({ data }: Answer) => data).join('')
      const latest = await api.call(200, 'POST', '/artifacts/latest/filter', body)
      assert.equal(latest.map(({ data }: Answer) => data).join(''), found)
      assert.equal(await api.call(200, 'POST', '/artifacts/count', filters), found.length)
      return found
    }
    assert.equal(await made({ deployments: { name: { any_: ['makes'] } } }), 'ab')
    assert.equal(await made({ task_runs: { name: { any_: ['maker'] } } }), 'b')
    assert.equal(await made({ flow_runs: { tags: { all_: ['other'] } } }), 'c')
    assert.equal(await made({ flows: { name: { any_: ['makes'] } } }), 'abc')
    assert.equal(await made({ flows: { name: { any_: ['none'] } }, deployments: { id: { any_: [deployment] } } }), '')
  })

  await t.test('nothing is reset unless the server is one for tests', async () => {
    await api.call(404, 'POST', '/millrace/testing/reset')
  })
})
