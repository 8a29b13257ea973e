import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { type Answer, apiClient } from './client.ts'

const TIME = { first: '2031-01-01T00:00:00.000000Z', second: '2031-01-01T00:00:10.000000Z' }

test('flow runs are found, ordered, paged and counted', async (t) => {
  const api = await apiClient(t)
  const post = (path: string, body: object, status = 200): Promise<Answer> => api.call(status, 'POST', path, body)
  const flow = await post('/flows/', { name: 'one', tags: ['f'] }, 201)
  const other = await post('/flows/', { name: 'other' }, 201)
  const make = (name: string, at: string, run: object = {}): Promise<Answer> => {
    const state = { type: 'SCHEDULED', state_details: { scheduled_time: at } }
    return post('/flow_runs/', { flow_id: flow.id, name, state, ...run }, 201)
  }
  const a = await make('a', TIME.first, { tags: ['x', 'y'], parameters: { n: 1 } })
  const b = await make('b', TIME.second, { tags: ['x'], flow_version: '2' })
  const c = await make('c', TIME.first, { flow_id: other.id, idempotency_key: 'key-c' })
  await post(`/flow_runs/${b.id}/set_state`, { state: { type: 'PENDING' } }, 201)
  const names = async (filters: object, sort = 'NAME_ASC') =>
    (await post('/flow_runs/filter', { ...filters, sort })).map(({ name }: Answer) => name).join('')
  const of = (filter: object) => names({ flow_runs: filter })

  await t.test('by each field of the filter', async () => {
    assert.equal(await of({ id: { any_: [a.id.toUpperCase(), c.id] } }), 'ac')
    assert.equal(await of({ id: { not_any_: [a.id] } }), 'bc')
    assert.equal(await of({ name: { any_: ['a', 'b'] } }), 'ab')
    assert.equal(await of({ name: { like_: 'B' } }), 'b')
    assert.equal(await of({ tags: { all_: ['x', 'y'] } }), 'a')
    assert.equal(await of({ tags: { any_: ['y', 'z'] } }), 'a')
    assert.equal(await of({ tags: { is_null_: true } }), 'c')
    assert.equal(await of({ state: { type: { any_: ['PENDING'] } } }), 'b')
    assert.equal(await of({ state: { type: { not_any_: ['PENDING'] } } }), 'ac')
    assert.equal(await of({ state: { name: { any_: ['Scheduled'] } } }), 'ac')
    assert.equal(await of({ flow_version: { any_: ['2'] } }), 'b')
    assert.equal(await of({ idempotency_key: { any_: ['key-c'] } }), 'c')
    assert.equal(await of({ work_queue_name: { is_null_: true } }), 'abc')
    assert.equal(await of({ created_by: { is_null_: true } }), 'abc')
    assert.equal(await of({ created_by: { id_: [a.id.toUpperCase()] } }), '')
    await post('/flow_runs/filter', { flow_runs: { created_by: { id_: ['no id'] } } }, 422)
    await post('/flow_runs/filter', { flow_runs: { parent_flow_run_id: { is_null_: true } } }, 422)
    assert.equal(await of({ created_by: { operator: 'or_', type_: ['SCHEDULE'], is_null_: true } }), 'abc')
    assert.equal(await of({ created_by: { operator: 'and_', type_: ['SCHEDULE'], is_null_: true } }), '')
    assert.equal(await of({ parent_flow_run_id: { any_: [a.id] } }), '')
    assert.equal(await of({ expected_start_time: { after_: TIME.second } }), 'b')
    assert.equal(await of({ next_scheduled_start_time: { before_: '2031-01-01 00:00:05+00:00' } }), 'ac')
    assert.equal(await of({ start_time: { is_null_: false } }), '')
    assert.equal(await of({ end_time: { is_null_: true } }), 'abc')
    assert.equal(await of({ deployment_id: { is_null_: true } }), 'abc')
    assert.equal(await of({ parent_task_run_id: { is_null_: false } }), '')
    assert.equal(await of({ operator: 'or_', name: { any_: ['a'] }, state: { type: { any_: ['PENDING'] } } }), 'ab')
    assert.equal(await names({ flows: { name: { any_: ['other'] } } }), 'c')
    assert.equal(await names({ flows: { tags: { all_: ['f'] } }, flow_runs: { tags: { all_: ['y'] } } }), 'a')
  })

  await t.test('in each order', async () => {
    assert.equal(await names({}, 'NAME_DESC'), 'cba')
    assert.equal(await names({}, 'ID_DESC'), 'cba')
    assert.match(await names({}, 'EXPECTED_START_TIME_ASC'), /^(ac|ca)b$/)
    assert.match(await names({}, 'EXPECTED_START_TIME_DESC'), /^b(ac|ca)$/)
    assert.match(await names({}, 'START_TIME_ASC'), /b$/) // what has not begun counts by when it is expected to
    assert.match(await names({}, 'START_TIME_DESC'), /^b/)
    assert.match(await names({}, 'NEXT_SCHEDULED_START_TIME_ASC'), /b$/) // it is due no more
    assert.match(await names({}, 'END_TIME_DESC'), /^(?=.*a)(?=.*b)(?=.*c).{3}$/) // none of them has ended
  })

  await t.test('in pages', async () => {
    const page = await post('/flow_runs/paginate', { sort: 'NAME_ASC', limit: 2, page: 2 })
    const { results, ...numbers } = page
    assert.deepEqual(
      [results.map(({ name }: Answer) => name), numbers],
      [['c'], { count: 3, limit: 2, pages: 2, page: 2 }],
    )
    assert.deepEqual(await post('/flow_runs/filter', { limit: 0 }), [])
    assert.equal(await post('/flow_runs/count', { flow_runs: { tags: { any_: ['x'] } } }), 2)
    assert.equal(await post('/flows/count', { flow_runs: { tags: { any_: ['x'] } } }), 1)
    assert.deepEqual(
      (await post('/flows/filter', { sort: 'NAME_DESC' })).map(({ name }: Answer) => name),
      ['other', 'one'],
    )
  })

  await t.test('as a history of intervals', async () => {
    const range = { history_start: TIME.first, history_end: '2031-01-01T00:00:15Z', history_interval_seconds: 5 }
    const bars = await post('/flow_runs/history', range)
    const counted = bars.map(({ interval_start, states }: Answer) => [
      interval_start,
      states.map(({ state_type, count_runs }: Answer) => `${state_type} ${count_runs}`),
    ])
    assert.deepEqual(counted, [
      [TIME.first, ['SCHEDULED 2']],
      ['2031-01-01T00:00:05.000000Z', []],
      [TIME.second, ['PENDING 1']],
    ])
    const none = await post('/flow_runs/history', { ...range, work_queues: { name: { any_: ['nobody'] } } })
    assert.deepEqual(
      none.flatMap(({ states }: Answer) => states),
      [],
    )
    await post('/flow_runs/history', { ...range, history_interval_seconds: 0.5 }, 422)
    assert.equal(await post('/flow_runs/lateness', {}), 0)
  })

  await t.test('once for each idempotency key', async () => {
    const key = { flow_id: flow.id, idempotency_key: 'k', name: 'once' }
    const made = await post('/flow_runs/', key, 201)
    assert.equal((await post('/flow_runs/', { ...key, name: 'twice' }, 200)).id, made.id)
    assert.notEqual((await post('/flow_runs/', { ...key, flow_id: other.id }, 201)).id, made.id)
  })

  await t.test('in a work pool, without a deployment', async () => {
    await post('/flow_runs/', { flow_id: flow.id, work_pool_name: 'nobody' }, 404)
    const pool = await post('/work_pools/', { name: 'pool', type: 'process' }, 201)
    const run = await post('/flow_runs/', { flow_id: flow.id, work_pool_name: 'pool' }, 201)
    assert.deepEqual(
      [run.work_pool_name, run.work_queue_id, run.work_queue_name],
      ['pool', pool.default_queue_id, 'default'],
    )
    assert.equal(await post('/flow_runs/count', { work_pools: { type: { any_: ['process'] } } }), 1)
  })

  await t.test('and changed: a part of it, and labels', async () => {
    await api.call(204, 'PATCH', `/flow_runs/${a.id}`, { name: 'a2', tags: [], infrastructure_pid: '7' })
    await api.call(204, 'PATCH', `/flow_runs/${a.id}/labels`, { team: 'red', n: 1 })
    const found = await api.call(200, 'GET', `/flow_runs/${a.id}`)
    assert.deepEqual([found.name, found.tags, found.infrastructure_pid, found.parameters], ['a2', [], '7', { n: 1 }])
    assert.deepEqual(found.labels, { 'prefect.flow.id': flow.id, team: 'red', n: 1 })
    await api.call(400, 'PATCH', `/flow_runs/${b.id}`, { job_variables: { cpu: 1 } })
  })

  await t.test('bulk: many states, many deletions', async () => {
    const which = { flow_runs: { flow_version: { any_: ['2'] } } }
    const { results } = await post('/flow_runs/bulk_set_state', { ...which, state: { type: 'RUNNING' }, force: true })
    assert.deepEqual(
      results.map(({ status, state }: Answer) => [status, state.type]),
      [['ACCEPT', 'RUNNING']],
    )
    assert.deepEqual(await post('/flow_runs/bulk_delete', which), { deleted: [b.id] })
    await api.call(404, 'GET', `/flow_runs/${b.id}`)
    assert.deepEqual(await api.call(200, 'GET', `/flow_run_states/?flow_run_id=${b.id}`), [])
    await api.call(404, 'GET', `/flow_runs/${randomUUID()}`)
  })

  await t.test('one of a nested flow is made once, however often it is asked for, until it has begun', async () => {
    const task = { task_key: 'nested', dynamic_key: '0', flow_run_id: a.id }
    const { id: parent_task_run_id } = await post('/task_runs/', task, 201)
    const wanted = { flow_id: flow.id, parent_task_run_id, parameters: { n: 1 } }
    const asked = await Promise.all(Array.from({ length: 4 }, () => fetch(`${api.url}/api/flow_runs/`, bodyOf(wanted))))
    assert.deepEqual(asked.map(({ status }) => status).sort(), [200, 200, 200, 201])
    const [first, ...others] = await Promise.all(asked.map((one) => one.json() as Promise<Answer>))
    for (const other of others) assert.equal(other.id, first.id)
    const { id: another } = await post('/flow_runs/', { ...wanted, parameters: { n: 2 } }, 201)
    assert.notEqual(another, first.id, 'what is asked for in other words is another one')
    await post(`/flow_runs/${first.id}/set_state`, { state: { type: 'RUNNING' } }, 201)
    const { id: again } = await post('/flow_runs/', wanted, 201)
    assert.notEqual(again, first.id)
    assert.equal((await post('/flow_runs/', wanted)).id, again)
  })
})

function bodyOf(value: object): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) }
}
