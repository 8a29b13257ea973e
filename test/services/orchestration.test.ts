import assert from 'node:assert/strict'
import { test } from 'node:test'
import pMap from 'p-map'
import { type Answer, apiClient } from '#test/api/orchestration/client.ts'
import { waitUntil } from '#test/wait-until.ts'

const DAY_S = 86_400
/** The services come round every 5 to 20 s. */
const WAIT = { timeoutMs: 45_000, everyMs: 200 }

test('services look after deployments, runs and workers', async (t) => {
  const api = await apiClient(t, { MILLRACE_RUNS_LATE_AFTER: '0s', MILLRACE_RUNS_CANCELLING_TIMEOUT: '1s' })
  const flow = await api.call(201, 'POST', '/flows/', { name: 'etl' })
  const runs = (flow_runs: object) => api.call(200, 'POST', '/flow_runs/filter', { flow_runs, sort: 'ID_DESC' })
  const setState = async (id: string, state: object) => api.call(201, 'POST', `/flow_runs/${id}/set_state`, { state })
  const newRun = (state: object) => api.call(201, 'POST', '/flow_runs/', { flow_id: flow.id, state })
  const past = new Date(Date.now() - 60_000).toISOString()
  const is = (id: string, type: string, name: string) =>
    waitUntil(async () => {
      const { state } = await api.call(200, 'GET', `/flow_runs/${id}`)
      return state.type === type && state.name === name && state
    }, WAIT)

  await Promise.all([
    t.test('runs of a schedule are made ahead, and once', async () => {
      const deployment = await api.call(201, 'POST', '/deployments/', {
        name: 'daily',
        flow_id: flow.id,
        parameters: { x: 1 },
        tags: ['mine'],
        schedules: [{ schedule: { interval: DAY_S }, parameters: { x: 2 }, slug: 'each-day' }],
        parameter_openapi_schema: { type: 'object', properties: { x: { type: 'integer' } } },
      })
      const its = { deployment_id: { any_: [deployment.id] } }
      const made: Answer[] = await waitUntil(async () => {
        const found = await runs(its)
        return found.length >= 3 && found
      }, WAIT)
      assert.equal(made.length, 3)
      const [run] = made
      assert.deepEqual(run.parameters, { x: 2 })
      assert.deepEqual(run.tags, ['auto-scheduled', 'mine'])
      assert.equal(run.auto_scheduled, true)
      assert.deepEqual([run.created_by.type, run.created_by.display_value], ['SCHEDULE', 'each-day'])
      assert.match(run.idempotency_key, new RegExp(`^scheduled ${deployment.id} [0-9a-f-]{36} \\d{4}-\\d\\d-\\d\\d `))
      const events = await api.call(200, 'POST', '/events/filter', {
        filter: { event: { name: ['prefect.flow-run.Scheduled'] }, resource: { id: [`prefect.flow-run.${run.id}`] } },
      })
      assert.equal(events.total, 1)
      // Changed, it has others: none of the old ones, and no two for one instant.
      await api.call(204, 'PATCH', `/deployments/${deployment.id}`, { tags: ['other'], parameters: { x: 5 } })
      const again: Answer[] = await waitUntil(async () => {
        const found = await runs(its)
        return found.length >= 3 && found.every(({ tags }: Answer) => tags.includes('other')) && found
      }, WAIT)
      assert.equal(new Set(again.map(({ expected_start_time }) => expected_start_time)).size, again.length)
    }),

    t.test('what nobody begins is late, once', async () => {
      const run = await newRun({ type: 'SCHEDULED', state_details: { scheduled_time: past } })
      const state = await is(run.id, 'SCHEDULED', 'Late')
      assert.equal(Date.parse(state.state_details.scheduled_time), Date.parse(past))
    }),

    t.test('what is late for want of a slot is cancelled where none should wait', async () => {
      const { id } = await api.call(201, 'POST', '/deployments/', {
        name: 'one-at-a-time',
        flow_id: flow.id,
        concurrency_limit: 1,
        concurrency_options: { collision_strategy: 'CANCEL_NEW' },
      })
      const state = { type: 'SCHEDULED', state_details: { scheduled_time: past } }
      const of = async () => (await api.call(201, 'POST', `/deployments/${id}/create_flow_run`, {})).id
      await setState(await of(), { type: 'PENDING' })
      const second = (await api.call(201, 'POST', `/deployments/${id}/create_flow_run`, { state })).id
      const { message } = await is(second, 'CANCELLED', 'Cancelled')
      assert.equal(message, 'Deployment concurrency limit reached.')
    }),

    t.test('a pause that ends fails its run, whatever others say', async () => {
      const other = await newRun({ type: 'PENDING' })
      await setState(other.id, { type: 'RUNNING' })
      await setState(other.id, { type: 'PAUSED', message: 'NUL \0, half a letter \ud83d' })
      const run = await newRun({ type: 'PENDING' })
      await setState(run.id, { type: 'RUNNING' })
      await setState(run.id, {
        type: 'PAUSED',
        state_details: { pause_timeout: Date.now() / 1_000 + 0.5, pause_key: 'k' },
      })
      const { message } = await is(run.id, 'FAILED', 'Failed')
      assert.equal(message, 'The flow was paused and never resumed.')
    }),

    t.test('what is cancelling for too long is cancelled', async () => {
      const run = await newRun({ type: 'PENDING' })
      await setState(run.id, { type: 'RUNNING' })
      await setState(run.id, { type: 'CANCELLING' })
      const { message } = await is(run.id, 'CANCELLED', 'Cancelled')
      assert.match(message, /timed out after 1 seconds/)
    }),

    t.test('task runs of a cancelled run are cancelled, all of them, and none that is over', async () => {
      const run = await newRun({ type: 'PENDING' })
      await setState(run.id, { type: 'RUNNING' })
      const newTask = (n: number, type: string) =>
        api.call(201, 'POST', '/task_runs/', {
          flow_run_id: run.id,
          task_key: 'task',
          dynamic_key: String(n),
          state: { type },
        })
      const types = ['RUNNING', 'PENDING', 'SCHEDULED', 'COMPLETED']
      const tasks = await pMap(Array.from({ length: 280 }), (_, n) => newTask(n, types[n % 4] as string), {
        concurrency: 20,
      })
      await setState(run.id, { type: 'CANCELLED' })
      const count = (type: string) =>
        api.call(200, 'POST', '/task_runs/count', {
          flow_runs: { id: { any_: [run.id] } },
          task_runs: { state: { type: { any_: [type] } } },
        })
      await waitUntil(async () => (await count('CANCELLED')) === 210, WAIT)
      assert.equal(await count('COMPLETED'), 70)
      const { state } = await api.call(200, 'GET', `/task_runs/${tasks[0].id}`)
      assert.equal(state.message, 'The parent flow run was cancelled.')
    }),

    t.test('a worker that falls silent is offline, and its pool is not ready', async () => {
      await api.call(201, 'POST', '/work_pools/', { name: 'pool', type: 'process' })
      await api.call(204, 'POST', '/work_pools/pool/workers/heartbeat', { name: 'w', heartbeat_interval_seconds: 0 })
      assert.equal((await api.call(200, 'GET', '/work_pools/pool')).status, 'READY')
      await waitUntil(async () => (await api.call(200, 'GET', '/work_pools/pool')).status === 'NOT_READY', WAIT)
      const [worker] = await api.call(200, 'POST', '/work_pools/pool/workers/filter', {})
      assert.equal(worker.status, 'OFFLINE')
    }),
  ])
})
