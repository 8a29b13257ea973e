import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitUntil } from '#test/wait-until.ts'
import { type Answer, apiClient } from './client.ts'

const TEMPLATE = {
  job_configuration: { command: '{{ command }}' },
  variables: { type: 'object', properties: { command: { type: 'string' } } },
}
const soon = () => new Date(Date.now() + 10_000).toISOString().replace('T', ' ').replace('Z', '+00:00')

test('work pools', async (t) => {
  const api = await apiClient(t)
  const flow = await api.call(201, 'POST', '/flows/', { name: 'etl' })
  const names = (rows: Answer[]) => rows.map(({ name }) => name)

  await t.test('one is made with its default queue, and made once', async () => {
    const body = { name: 'k8s', type: 'kubernetes', base_job_template: TEMPLATE }
    const pool = await api.call(201, 'POST', '/work_pools/', body)
    assert.deepEqual([pool.status, pool.active_slots, pool.base_job_template], ['NOT_READY', null, TEMPLATE])
    const [queue] = await api.call(200, 'POST', '/work_pools/k8s/queues/filter', {})
    assert.deepEqual([queue.id, queue.name, queue.priority], [pool.default_queue_id, 'default', 1])
    const { detail } = await api.call(409, 'POST', '/work_pools/', body)
    assert.equal(detail, 'A work pool with this name already exists.')
    assert.deepEqual(await api.call(200, 'GET', '/work_pools/k8s'), pool)
    assert.equal((await api.call(404, 'GET', '/work_pools/none')).detail, 'Work pool "none" not found.')
    await api.call(403, 'POST', '/work_pools/', { name: 'Prefect pool' })
    await api.call(403, 'DELETE', '/work_pools/prefect-x')
    await api.call(422, 'POST', '/work_pools/', { name: 'a/b' })
    await api.call(422, 'POST', '/work_pools/', {
      name: 'odd',
      base_job_template: { ...TEMPLATE, job_configuration: { image: '{{ image }}' } },
    })
  })

  await t.test('a pause shows in its status, and ends', async () => {
    await api.call(204, 'PATCH', '/work_pools/k8s', { is_paused: true, concurrency_limit: 3 })
    const paused = await api.call(200, 'GET', '/work_pools/k8s')
    assert.deepEqual([paused.status, paused.is_paused, paused.active_slots], ['PAUSED', true, 0])
    await api.call(204, 'PATCH', '/work_pools/k8s', { is_paused: false, concurrency_limit: null })
    assert.equal((await api.call(200, 'GET', '/work_pools/k8s')).status, 'NOT_READY')
    const told = ['created', 'not-ready', 'paused', 'updated', 'updated']
    const filter = { event: { prefix: ['prefect.work-pool.'] }, resource: { id: [`prefect.work-pool.${paused.id}`] } }
    // Commands wait for the tables, not for the log.
    const { events } = await waitUntil(async () => {
      const found = await api.call(200, 'POST', '/events/filter', { filter })
      return found.events.length >= told.length && found
    })
    assert.deepEqual(events.map(({ event }: Answer) => event.split('.').pop()).sort(), told)
  })

  await t.test('queues have names of their own and priorities that differ', async () => {
    await api.call(201, 'POST', '/work_pools/k8s/queues', { name: 'high', priority: 1 })
    await api.call(409, 'POST', '/work_pools/k8s/queues', { name: 'high' })
    const queues = await api.call(200, 'POST', '/work_pools/k8s/queues/filter', {})
    assert.deepEqual(
      queues.map(({ name, priority }: Answer) => [name, priority]),
      [
        ['high', 1],
        ['default', 2],
      ],
    )
    await api.call(204, 'PATCH', '/work_pools/k8s/queues/high', { name: 'higher' })
    await api.call(404, 'GET', '/work_pools/k8s/queues/high')
    const queue = await api.call(200, 'GET', '/work_pools/k8s/queues/higher')
    const again = await api.call(201, 'POST', '/work_pools/k8s/queues', { name: 'high' })
    assert.notEqual(again.id, queue.id)
    assert.deepEqual(await api.call(200, 'GET', `/work_queues/${queue.id}`), queue)
    assert.equal((await api.call(200, 'GET', '/work_queues/name/higher')).id, queue.id)
    const unpooled = await api.call(201, 'POST', '/work_queues/', { name: 'higher' })
    assert.equal((await api.call(200, 'GET', '/work_queues/name/higher')).id, unpooled.id, 'of those who know no pools')
    await api.call(204, 'DELETE', `/work_queues/${unpooled.id}`)
    assert.equal((await api.call(200, 'GET', `/work_queues/${queue.id}/status`)).healthy, false)
    const found = { work_queues: { name: { startswith_: ['HI'] } } }
    assert.deepEqual(names(await api.call(200, 'POST', '/work_queues/filter', found)), ['higher', 'high'])
    await api.call(204, 'DELETE', `/work_queues/${again.id}`)
    await api.call(400, 'DELETE', '/work_pools/k8s/queues/default')
    const legacy = await api.call(201, 'POST', '/work_queues/', { name: 'old' })
    assert.equal(legacy.work_pool_name, 'default-agent-pool')
  })

  await t.test('workers are handed runs by priority, within limits, and not while paused', async () => {
    const deployed = async (name: string, work_queue_name: string) => {
      const body = { name, flow_id: flow.id, work_pool_name: 'k8s', work_queue_name }
      const { id } = await api.call(201, 'POST', '/deployments/', body)
      const runs = [1, 2, 3].map(() => api.call(201, 'POST', `/deployments/${id}/create_flow_run`, {}))
      return { id, runs: (await Promise.all(runs)).map((run: Answer) => run.id) }
    }
    const low = await deployed('low', 'default')
    const high = await deployed('high', 'higher')
    const handed = async (body: object = {}) =>
      (
        await api.call(200, 'POST', '/work_pools/k8s/get_scheduled_flow_runs', {
          work_queue_names: [],
          scheduled_before: soon(),
          ...body,
        })
      ).map((each: Answer) => each.flow_run.id)
    assert.deepEqual([...(await handed())].slice(0, 3).sort(), [...high.runs].sort())
    assert.equal((await handed()).length, 6)
    for (const work_queue_names of [['default'], ['default', 'default']])
      assert.deepEqual([...(await handed({ work_queue_names }))].sort(), [...low.runs].sort())
    await api.call(404, 'POST', '/work_pools/k8s/get_scheduled_flow_runs', { work_queue_names: ['none'] })
    assert.equal((await api.call(200, 'GET', `/deployments/${low.id}`)).status, 'READY')

    await api.call(204, 'PATCH', '/work_pools/k8s/queues/higher', { concurrency_limit: 2 })
    assert.equal((await handed()).length, 5)
    await api.call(201, 'POST', `/flow_runs/${high.runs[0]}/set_state`, { state: { type: 'PENDING' } })
    assert.equal((await handed({ work_queue_names: ['higher'] })).length, 1)
    assert.equal((await api.call(200, 'GET', '/work_pools/k8s/queues/higher')).active_slots, 1)
    await api.call(204, 'PATCH', '/work_pools/k8s', { concurrency_limit: 2 })
    assert.equal((await handed()).length, 1)
    assert.equal((await api.call(200, 'GET', '/work_pools/k8s')).active_slots, 1)
    const status = await api.call(200, 'POST', '/work_pools/k8s/concurrency_status', {})
    assert.equal(status.active_slots, 1)
    assert.deepEqual(names(status.queues[0].flow_runs), [
      (await api.call(200, 'GET', `/flow_runs/${high.runs[0]}`)).name,
    ])
    const queueId = status.queues[0].queue_id
    assert.equal((await api.call(200, 'POST', `/work_queues/${queueId}/concurrency_status`, {})).count, 1)

    await api.call(204, 'PATCH', '/work_pools/k8s', { concurrency_limit: null })
    await api.call(204, 'PATCH', '/work_pools/k8s/queues/higher', { is_paused: true })
    assert.equal((await handed()).length, 3)
    assert.equal((await api.call(200, 'POST', `/work_queues/${queueId}/get_runs`, {})).length, 0)
    await api.call(204, 'PATCH', '/work_pools/k8s', { is_paused: true })
    assert.deepEqual(await handed(), [])
  })

  await t.test('workers say that they are there', async () => {
    await api.call(204, 'PATCH', '/work_pools/k8s', { is_paused: false })
    const heartbeat = { name: 'ProcessWorker 1', heartbeat_interval_seconds: 30 }
    await api.call(204, 'POST', '/work_pools/k8s/workers/heartbeat', heartbeat)
    await api.call(204, 'POST', '/work_pools/k8s/workers/heartbeat', heartbeat)
    const [worker, ...others] = await api.call(200, 'POST', '/work_pools/k8s/workers/filter', {
      workers: { status: { any_: ['ONLINE'] } },
      limit: null,
      offset: null,
    })
    assert.deepEqual([worker.name, worker.status, others.length], ['ProcessWorker 1', 'ONLINE', 0])
    assert.equal((await api.call(200, 'GET', '/work_pools/k8s')).status, 'READY')
    await api.call(204, 'DELETE', '/work_pools/k8s/workers/ProcessWorker%201')
    await api.call(404, 'DELETE', '/work_pools/k8s/workers/ProcessWorker%201')
    await api.call(404, 'POST', '/work_pools/none/workers/heartbeat', heartbeat)
  })

  await t.test('a pool in use is deleted with its queues, and its deployments stay without it', async () => {
    await api.call(204, 'DELETE', '/work_pools/k8s')
    await api.call(404, 'GET', '/work_pools/k8s')
    await api.call(404, 'GET', '/work_queues/name/higher')
    const { work_pool_name, work_queue_id } = await api.call(200, 'GET', '/deployments/name/etl/low')
    assert.deepEqual([work_pool_name, work_queue_id], [null, null])
    await api.call(201, 'POST', '/work_pools/', { name: 'k8s', type: 'process' })
    assert.equal((await api.call(200, 'POST', '/work_pools/k8s/queues/filter', {})).length, 1)
    assert.equal(await api.call(200, 'POST', '/work_pools/count', { work_pools: { type: { any_: ['process'] } } }), 1)
  })
})
