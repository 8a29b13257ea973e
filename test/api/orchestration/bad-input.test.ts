import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { type Answer, apiClient } from './client.ts'

const hourly = { schedule: { interval: 3_600 } }

test('what clients should not send is answered as by Prefect', async (t) => {
  const { url } = await apiClient(t)
  const call = async (method: string, path: string, body?: unknown): Promise<{ status: number; body: Answer }> => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const init = { method, headers: { 'content-type': 'application/json' }, ...(body !== undefined && { body: text }) }
    const response = await fetch(`${url}/api${path}`, init)
    const answer = await response.text()
    return { status: response.status, body: answer === '' ? null : JSON.parse(answer) }
  }
  const newRun = async (run: object = {}): Promise<Answer> =>
    (await call('POST', '/flow_runs/', { flow_id: flowId, ...run })).body

  const flowName = 'größe ☃ 流れ'
  const made = await call('POST', '/flows/', { name: flowName })
  const flowId: string = made.body.id
  assert.equal((await call('GET', `/flows/name/${encodeURIComponent(flowName)}`)).body.id, flowId)

  await t.test('bodies that are no JSON, of another shape, with unknown fields', async () => {
    const run = await newRun()
    const wrong: [string, string, unknown][] = [
      ['POST', '/flows/', '{"name":'],
      ['POST', '/flows/', {}],
      ['POST', '/flows/', { name: 'a/b' }],
      ['POST', '/flows/', { name: '' }],
      ['POST', '/flows/', { name: 'x', colour: 'red' }],
      ['POST', '/flows/', { name: 'x', tags: 'red' }],
      ['POST', '/flow_runs/', { flow_id: 'x' }],
      ['POST', '/flow_runs/', { flow_id: flowId, colour: 'red' }],
      ['POST', '/flow_runs/', { flow_id: flowId, parameters: [] }],
      ['POST', `/flow_runs/${run.id}/set_state`, { state: { type: 'FLYING' } }],
      ['POST', `/flow_runs/${run.id}/set_state`, { state: { type: 'RUNNING', colour: 'red' } }],
      ['POST', `/flow_runs/${run.id}/set_state`, {}],
      ['PATCH', `/flow_runs/${run.id}`, { state: { type: 'RUNNING' } }],
      ['POST', '/flow_runs/filter', { flow_runs: { colour: { any_: ['red'] } } }],
      ['POST', '/flow_runs/filter', { flow_runs: { id: { any_: ['x'] } } }],
      ['POST', '/flow_runs/filter', { sort: 'COLOUR_ASC' }],
      ['POST', '/flow_runs/filter', { offset: -1 }],
      ['POST', '/flow_runs/', { flow_id: flowId, labels: { colour: ['red'] } }],
      ['POST', '/flow_runs/', { flow_id: flowId, labels: { colour: null } }],
      ['POST', '/task_runs/', { task_key: 'x', dynamic_key: '0', task_inputs: { x: [{ input_type: 'wish' }] } }],
      ['POST', '/v2/concurrency_limits/increment-with-lease', { names: ['x'], slots: 1, holder: { type: 'me' } }],
      ['POST', '/deployments/', { flow_id: flowId, name: 'x', schedules: [{ ...hourly, max_scheduled_runs: 51 }] }],
      ['POST', '/logs/', { name: 'x' }],
      ['POST', '/task_runs/', { task_key: 'x' }],
      ['POST', '/task_runs/', { task_key: 'x', dynamic_key: '0', colour: 'red' }],
      ['POST', `/task_runs/${randomUUID()}/set_state`, { state: { type: 'FLYING' } }],
      ['POST', '/flow_runs/filter', [1, 2]],
      ['POST', '/flow_runs/paginate', { page: 0 }],
      ['POST', '/work_pools/filter', { work_pools: { colour: 'red' } }],
      ['POST', '/variables/', { name: 'long', value: 'x'.repeat(5_000) }],
    ]
    for (const [method, path, body] of wrong) {
      const { status, body: answer } = await call(method, path, body)
      const at = `${method} ${path} ${JSON.stringify(body)}: ${JSON.stringify(answer)}`
      assert.equal(status, 422, at)
      assert.equal(answer.exception_message, 'Invalid request received.', at)
      assert.ok(answer.exception_detail.length > 0, at)
      if (typeof body !== 'string') assert.deepEqual(answer.request_body, body, at)
    }
    assert.equal((await call('POST', '/flow_runs/count', null)).status, 200, 'null asks for nothing')
    const ignored = await call('POST', '/flow_runs/filter', { colour: 'red', sort: null, limit: null, offset: null })
    assert.equal(ignored.status, 200, 'filters ignore what they do not know')
  })

  await t.test('limits beyond the page', async () => {
    for (const [limit, word] of [
      [201, 'less'],
      [-1, 'greater'],
    ]) {
      const { status, body } = await call('POST', '/flow_runs/filter', { limit })
      assert.equal(status, 422)
      assert.match(body.detail, new RegExp(`^Invalid limit: must be ${word} than or equal to`))
    }
  })

  await t.test('things that are not there', async () => {
    const id = randomUUID()
    const missing: [string, string, unknown?][] = [
      ['GET', `/flows/${id}`],
      ['GET', '/flows/name/nobody'],
      ['DELETE', `/flows/${id}`],
      ['PATCH', `/flows/${id}`, { tags: [] }],
      ['GET', `/flow_runs/${id}`],
      ['PATCH', `/flow_runs/${id}`, { name: 'x' }],
      ['DELETE', `/flow_runs/${id}`],
      ['POST', `/flow_runs/${id}/set_state`, { state: { type: 'RUNNING' } }],
      ['POST', `/flow_runs/${id}/resume`, {}],
      ['POST', `/flow_runs/${id}/input`, { key: 'k', value: 'v' }],
      ['GET', `/flow_runs/${id}/input/k`],
      ['GET', `/flow_run_states/${id}`],
      ['GET', `/task_runs/${id}`],
      ['DELETE', `/task_runs/${id}`],
      ['POST', `/task_runs/${id}/set_state`, { state: { type: 'RUNNING' } }],
      ['GET', '/flow_runs/not-a-uuid'],
    ]
    for (const [method, path, body] of missing) {
      const answer = await call(method, path, body)
      assert.equal(answer.status, 404, `${method} ${path}: ${JSON.stringify(answer.body)}`)
      assert.equal(typeof answer.body.detail, 'string')
    }
    const names: [string, object][] = [
      ['/flow_runs/', { flow_id: id }],
      ['/flow_runs/', { flow_id: flowId, parent_task_run_id: id }],
      ['/flow_runs/', { flow_id: flowId, infrastructure_document_id: id }],
      ['/task_runs/', { task_key: 'x', dynamic_key: '0', flow_run_id: id }],
    ]
    for (const [path, body] of names) {
      const answer = await call('POST', path, body)
      assert.equal(answer.status, 409, `${path} ${JSON.stringify(body)}`)
      assert.match(answer.body.detail, /^Data integrity conflict/)
    }
  })

  await t.test('dates of all three forms, of none, and of no form', async () => {
    const epoch = Date.parse('2099-01-02T03:04:05Z') / 1_000 + 0.678901
    for (const when of ['2099-01-02T03:04:05.678901+00:00', '2099-01-02 03:04:05.678901+00:00', epoch]) {
      const run = await newRun({ state: { type: 'SCHEDULED', state_details: { scheduled_time: when } } })
      assert.equal(run.next_scheduled_start_time, '2099-01-02T03:04:05.678901Z', String(when))
    }
    const day = { flow_runs: { next_scheduled_start_time: { after_: '2099-01-02', before_: '2099-01-03' } } }
    assert.equal((await call('POST', '/flow_runs/count', day)).body, 3, 'a date alone is its midnight')
    const now = await newRun({ state: { type: 'SCHEDULED' } })
    assert.ok(Math.abs(Date.parse(String(now.next_scheduled_start_time)) - Date.now()) < 60_000)
    const { body: deployment } = await call('POST', '/deployments/', { flow_id: flowId, name: 'dated' })
    const anchored = { interval: 3_600, anchor_date: '2026-02-28' }
    const schedules = `/deployments/${deployment.id}/schedules`
    assert.equal((await call('POST', schedules, [{ schedule: anchored }])).status, 201)
    assert.equal(
      (await call('POST', `/deployments/${deployment.id}/schedule`, { start_time: '2099-01-02' })).status,
      200,
    )
    for (const when of ['tomorrow', '2026-02-30', '2026-02-30T00:00:00Z', '', 1e15, true, {}]) {
      const log = { name: 'x', level: 20, message: 'x', timestamp: when }
      const asked: [string, object][] = [
        ['/flow_runs/', { flow_id: flowId, state: { type: 'SCHEDULED', state_details: { scheduled_time: when } } }],
        ['/flow_runs/filter', { flow_runs: { start_time: { after_: when } } }],
        ['/logs/filter', { logs: { timestamp: { before_: when } } }],
        ['/events/filter', { filter: { occurred: { since: when } } }],
        ['/events/count-by/day', { filter: { occurred: { until: when } } }],
        ['/flow_runs/history', { history_start: when, history_end: when, history_interval_seconds: 60 }],
        [`/deployments/${deployment.id}/schedule`, { start_time: when }],
        [schedules, [{ schedule: { interval: 3_600, anchor_date: when } }]],
        ['/logs/', [log]],
      ]
      for (const [path, body] of asked) {
        const answer = await call('POST', path, body)
        assert.deepEqual(
          [answer.status, answer.body.exception_message],
          [422, 'Invalid request received.'],
          `${path} ${when}`,
        )
      }
    }
  })

  await t.test('a state that names another run belongs to the run that it is given to', async () => {
    const [one, other] = [await newRun(), await newRun()]
    const state = {
      type: 'RUNNING',
      state_details: { flow_run_id: other.id, transition_id: randomUUID().toUpperCase() },
    }
    const { body } = await call('POST', `/flow_runs/${one.id}/set_state`, { state })
    assert.equal(body.state.state_details.flow_run_id, one.id)
    const again = await call('POST', `/flow_runs/${one.id}/set_state`, { state })
    assert.deepEqual([again.status, again.body.status], [200, 'REJECT'], 'and it is taken once')
    assert.equal((await call('GET', `/flow_runs/${other.id}`)).body.state_type, 'PENDING')

    const task = { flow_run_id: one.id, task_key: 'x', dynamic_key: '0' }
    const { body: mine } = await call('POST', '/task_runs/', task)
    const { body: foreign } = await call('POST', '/task_runs/', { ...task, dynamic_key: '1' })
    const details = { task_run_id: foreign.id, flow_run_id: other.id }
    const told = await call('POST', `/task_runs/${mine.id}/set_state`, {
      state: { type: 'RUNNING', state_details: details },
    })
    const { task_run_id, flow_run_id } = told.body.state.state_details
    assert.deepEqual([told.body.status, task_run_id, flow_run_id], ['ACCEPT', mine.id, one.id])
    assert.equal((await call('GET', `/task_runs/${foreign.id}`)).body.state_type, 'PENDING')
  })

  await t.test('text that nothing can have names nothing', async () => {
    for (const path of ['/flows/name/', '/work_pools/', '/variables/name/', '/v2/concurrency_limits/']) {
      const { status, body } = await call('GET', `${path}a%00`)
      assert.deepEqual([status, body.code], [422, 'REQUEST_REFUSED'], path)
    }
    for (const flow_runs of [{ name: { any_: ['\0'] } }, { tags: { all_: ['\0'] } }]) {
      const { status, body } = await call('POST', '/flow_runs/filter', { flow_runs })
      assert.deepEqual([status, body.code], [422, 'REQUEST_REFUSED'])
    }
    assert.equal(
      (await call('POST', '/deployments/', { flow_id: flowId, name: 'x', work_pool_name: '\0' })).status,
      422,
    )
  })

  await t.test('parameters up to 512 KiB, with all their digits', async () => {
    const text = 'ü'.repeat(262_000)
    assert.equal((await newRun({ parameters: { text } })).state_type, 'PENDING')
    const { status, body } = await call('POST', '/flow_runs/', {
      flow_id: flowId,
      parameters: { text: `${text}${text}` },
    })
    assert.equal(status, 422)
    assert.match(body.exception_detail[0].msg, /must be less than 524,288 bytes/)
    const tooLarge = { parameters: { text: `${text}${text}` } }
    const { body: deployment } = await call('POST', '/deployments/', { flow_id: flowId, name: 'large' })
    for (const [method, path, more] of [
      ['PATCH', `/flow_runs/${(await newRun()).id}`, {}],
      ['POST', `/deployments/${deployment.id}/create_flow_run`, {}],
      ['POST', '/deployments/', { flow_id: flowId, name: 'larger' }],
    ] as const)
      assert.equal((await call(method, path, { ...tooLarge, ...more })).status, 422, path)
    const digits = '123456789012345678901234567890'
    const exact = await call('POST', '/flow_runs/', `{"flow_id":"${flowId}","parameters":{"n":${digits}}}`)
    assert.equal(exact.status, 201)
    const read = await fetch(`${url}/api/flow_runs/${exact.body.id}`)
    assert.ok((await read.text()).includes(`"n":${digits}`))
  })

  await t.test('10,000 task runs of one flow run, told at once, counted and paged; they go with it', async () => {
    const run = await newRun()
    const COUNT = 10_000
    for (let from = 0; from < COUNT; from += 2_500) {
      const events = Array.from({ length: 2_500 }, (_, i) => taskRunEvent(String(run.id), from + i))
      assert.equal((await call('POST', '/events?ack=persisted', events)).status, 204)
    }
    const filter = { flow_runs: { id: { any_: [run.id] } } }
    const count = async () => (await call('POST', '/task_runs/count', filter)).body
    const until = Date.now() + 60_000
    while ((await count()) < COUNT && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(await count(), COUNT)
    const page = await call('POST', '/task_runs/filter', { ...filter, sort: 'NAME_ASC', offset: 9_990, limit: 200 })
    assert.deepEqual([page.body.length, page.body[9].name], [10, 'task-9999'])
    assert.equal((await call('DELETE', `/flow_runs/${run.id}`)).status, 204)
    assert.equal((await call('POST', '/task_runs/count', { task_runs: { flow_run_id: { any_: [run.id] } } })).body, 0)
  })

  await t.test('names with slashes and with letters of all kinds', async () => {
    const kinds: [string, object, (name: string) => string | null][] = [
      ['/flows/', {}, (name) => `/flows/name/${name}`],
      ['/work_pools/', { type: 'process' }, (name) => `/work_pools/${name}`],
      ['/work_queues/', {}, (name) => `/work_queues/name/${name}`],
      ['/v2/concurrency_limits/', { limit: 1 }, (name) => `/v2/concurrency_limits/${name}`],
      ['/deployments/', { flow_id: flowId }, (name) => `/deployments/name/${encodeURIComponent(flowName)}/${name}`],
    ]
    for (const [path, more, at] of kinds) {
      for (const name of ['a/b', 'a%2Fb', 'a&b', '<a>', '', 7]) {
        const { status } = await call('POST', path, { name, ...more })
        assert.equal(status, 422, `${path} ${name}`)
      }
      const name = ` Ünïcode ☃ 𝓐 'quoted' ${path.length}`
      assert.equal((await call('POST', path, { name, ...more })).body.name, name)
      assert.equal((await call('GET', `${at(encodeURIComponent(name))}`)).body.name, name)
      assert.equal((await call('GET', `${at('a%2Fb')}`)).status, 404)
    }
    assert.equal((await call('POST', '/variables/', { name: 'a-b_1', value: 1 })).status, 201)
    for (const name of ['a/b', 'a b', 'ü', 'A', 'x'.repeat(256)])
      assert.equal((await call('POST', '/variables/', { name, value: 1 })).status, 422, name)
    const run = await newRun({ name: 'a/b % c', tags: ['x/y', '☃'] })
    assert.deepEqual([run.name, run.tags], ['a/b % c', ['x/y', '☃']])
    const tag = await call('POST', '/concurrency_limits/', { tag: 'x/y ☃', concurrency_limit: 1 })
    const read = await call('GET', `/concurrency_limits/tag/${encodeURIComponent('x/y ☃')}`)
    assert.deepEqual([tag.status, read.body.id], [201, tag.body.id])
  })

  await t.test('what is in use can be deleted, and what used it goes or goes on', async () => {
    const { body: flow } = await call('POST', '/flows/', { name: 'goes' })
    const { body: run } = await call('POST', '/flow_runs/', { flow_id: flow.id })
    await call('POST', '/work_pools/', { name: 'used', type: 'process' })
    const { body: queue } = await call('POST', '/work_pools/used/queues', { name: 'used' })
    const place = { work_pool_name: 'used', work_queue_name: 'used', concurrency_limit: 1 }
    const { body: made } = await call('POST', '/deployments/', { flow_id: flow.id, name: 'uses', ...place })
    const { body: waiting } = await call('POST', `/deployments/${made.id}/create_flow_run`, {})
    const { body: running } = await call('POST', `/deployments/${made.id}/create_flow_run`, {})
    for (const type of ['PENDING', 'RUNNING'])
      await call('POST', `/flow_runs/${running.id}/set_state`, { state: { type } })
    const status = async (path: string) => (await call('GET', path)).status

    const refused = await call('DELETE', '/work_pools/used/queues/default')
    assert.deepEqual([refused.status, refused.body.detail], [400, "Can't delete a pool's default queue."])
    assert.equal((await call('DELETE', `/work_queues/${queue.id}`)).status, 204)
    assert.equal((await call('GET', `/deployments/${made.id}`)).body.work_queue_id, null)
    assert.equal((await call('DELETE', '/work_pools/used')).status, 204)
    assert.equal((await call('GET', `/deployments/${made.id}`)).body.work_pool_name, null)
    const limit = `/v2/concurrency_limits/${made.global_concurrency_limit.id}`
    assert.equal((await call('DELETE', limit)).status, 204)
    assert.equal((await call('GET', `/deployments/${made.id}`)).body.global_concurrency_limit, null)
    assert.equal((await call('DELETE', `/deployments/${made.id}`)).status, 204)
    assert.equal(await status(`/flow_runs/${waiting.id}`), 404, 'what has not begun goes with its deployment')
    const over = await call('POST', `/flow_runs/${running.id}/set_state`, { state: { type: 'COMPLETED' } })
    assert.equal(over.body.status, 'ACCEPT', 'what runs goes on')
    assert.equal((await call('DELETE', `/flows/${flow.id}`)).status, 204)
    for (const { id } of [run, running]) assert.equal(await status(`/flow_runs/${id}`), 404)
  })
})

/** As a client tells that a task run is pending. */
function taskRunEvent(flowRunId: string, i: number) {
  const name = `task-${String(i).padStart(4, '0')}`
  const occurred = new Date().toISOString()
  return {
    id: randomUUID(),
    occurred,
    event: 'prefect.task-run.Pending',
    resource: { 'prefect.resource.id': `prefect.task-run.${randomUUID()}`, 'prefect.orchestration': 'client' },
    related: [{ 'prefect.resource.id': `prefect.flow-run.${flowRunId}`, 'prefect.resource.role': 'flow-run' }],
    payload: {
      intended: { from: null, to: 'PENDING' },
      initial_state: null,
      validated_state: { type: 'PENDING', name: 'Pending', message: '', state_details: {}, data: null },
      task_run: { name, task_key: 'task', dynamic_key: String(i), run_count: 0, total_run_time: 0 },
    },
  }
}
