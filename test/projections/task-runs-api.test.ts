import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import type { ProjectionStanding } from '#src/consumer/projection-overview.ts'
import type { Event } from '#src/events/event.ts'
import { verifiedServer } from '#test/corpus/running-server.ts'
import { waitUntil } from '#test/wait-until.ts'
import { instant, told } from './told.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'

test('task runs that clients tell of are read, listed, counted and filtered as from Prefect', async (t) => {
  const url = `${await verifiedServer(t)}/api`
  const [flowRunId, otherRunId] = [randomUUID(), randomUUID()]
  const base = Date.now() / 1_000 - Date.parse(instant(0)) / 1_000 // events of years ago would be refused
  const run = (n: number, flow: string, last: string): Event[] => {
    const taskRunId = `01a20add-78db-7bf7-8341-${String(n).padStart(12, '0')}`
    const times = { expected_start_time: instant(base + n), start_time: instant(base + n + 1) }
    const about = { taskRunId, flowRunId: flow, run: { ...times, dynamic_key: `${n}`, name: `task-${n}` } }
    const over = {
      ...about.run,
      end_time: instant(base + n + 2),
      run_count: 1,
      total_run_time: n * 100,
      tags: n === 1 ? [] : ['t1', 't2'],
    }
    return [
      told({ ...about, type: 'PENDING', at: base + n, id: randomUUID() }),
      told({ ...about, type: last, at: base + n + 2, id: randomUUID(), run: over }),
    ]
  }
  const events = [...run(1, flowRunId, 'COMPLETED'), ...run(2, flowRunId, 'FAILED'), ...run(3, otherRunId, 'RUNNING')]
  const ask = async <T = unknown>(path: string, body?: object) => {
    const method = body === undefined ? 'GET' : 'POST'
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${url}${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    const text = await response.text()
    return { status: response.status, body: (text === '' ? null : JSON.parse(text)) as T }
  }
  // The ends first, as it happens: the rows are the same.
  assert.equal((await ask('/events', events.toReversed())).status, 204)
  await waitUntil(async () => (await ask('/task_runs/count', {})).body === 3, { what: 'three task runs' })

  const names = async (body: object) => (await ask<Named[]>('/task_runs/filter', body)).body.map(({ name }) => name)
  assert.deepEqual(await names({ sort: 'NAME_ASC' }), ['task-1', 'task-2', 'task-3'])
  assert.deepEqual(await names({ sort: 'DURATION_ASC' }), ['task-1', 'task-2', 'task-3'])
  assert.deepEqual(await names({ sort: 'DURATION_DESC' }), ['task-3', 'task-2', 'task-1'])
  assert.deepEqual(await names({ sort: 'EXPECTED_START_TIME_DESC', limit: 2, offset: 1 }), ['task-2', 'task-1'])
  assert.deepEqual(await names({ task_runs: { flow_run_id: { any_: [otherRunId] } } }), ['task-3'])
  assert.deepEqual(await names({ task_runs: { tags: { is_null_: true } } }), ['task-1'])
  assert.deepEqual(await names({ task_runs: { state: { type: { any_: ['FAILED', 'RUNNING'] } } }, sort: 'NAME_ASC' }), [
    'task-2',
    'task-3',
  ])
  assert.deepEqual(await names({ task_runs: { operator: 'or_', name: { like_: 'ASK-3' }, id: { any_: [] } } }), [
    'task-3',
  ])
  assert.deepEqual(await names({ task_runs: { subflow_runs: { exists_: true } } }), [])
  assert.deepEqual(await names({ flow_runs: { id: { any_: [flowRunId] } } }), [], 'a flow run that nobody made')
  assert.deepEqual(await names({ task_runs: { end_time: { after_: instant(base + 3.9) } }, sort: 'NAME_ASC' }), [
    'task-2',
    'task-3',
  ])
  const page = (await ask<Page>('/task_runs/paginate', { limit: 2, page: 2, sort: 'NAME_ASC' })).body
  assert.deepEqual([page.count, page.pages, page.results[0]?.name], [3, 2, 'task-3'])

  const [one] = (await ask<[Run]>('/task_runs/filter', { task_runs: { name: { any_: ['task-1'] } } })).body
  assert.deepEqual((await ask(`/task_runs/${one.id}`)).body, one)
  assert.deepEqual(Object.keys(one), FIELDS)
  assert.equal(one.state.name, 'Completed')
  const states = (await ask<Named[]>(`/task_run_states/?task_run_id=${one.id}`)).body
  assert.deepEqual(
    states.map(({ name }) => name),
    ['Pending', 'Completed'],
  )
  assert.deepEqual(states[1], one.state)
  assert.deepEqual((await ask(`/task_run_states/${one.state_id}`)).body, one.state)

  assert.deepEqual(await ask(`/task_runs/${NOWHERE}`), {
    status: 404,
    body: { code: 'NOT_FOUND', detail: 'Task not found' },
  })
  assert.equal((await ask(`/task_run_states/${NOWHERE}`)).status, 404)
  assert.deepEqual((await ask(`/task_run_states/?task_run_id=${NOWHERE}`)).body, [])
  assert.equal((await ask('/task_runs/filter', { limit: 201 })).status, 422)
  assert.equal((await ask('/task_runs/filter', { task_runs: { colour: {} } })).status, 422)
  assert.equal((await ask('/task_runs/filter', { sort: 'BEST_FIRST' })).status, 422)
  const standing = (await ask<Standing>('/millrace/projections')).body
  assert.equal(standing.lagEvents, 0)
  assert.equal(standing.partitions.length, 8)
  const ofTasks = standing.projections.filter(({ name }) => name.startsWith('task-run'))
  assert.deepEqual(
    ofTasks.map(({ name, table, state, ...rest }) => [
      name,
      table,
      state,
      rest.version,
      rest.tableVersion,
      rest.deadLetters,
    ]),
    ['task-run', 'task-run-state'].map((name) => [name, name.replaceAll('-', '_'), 'live', 1, 1, 0]),
  )
  const range = { history_start: instant(base), history_end: instant(base + 10), history_interval_seconds: 5 }
  const history = (await ask<unknown[]>('/task_runs/history', range)).body
  assert.equal(history.length, 2)
})

interface Standing {
  readonly lagEvents: number
  readonly partitions: readonly object[]
  readonly projections: readonly ProjectionStanding[]
}
interface Named {
  readonly name: string
}
interface Page {
  readonly count: number
  readonly pages: number
  readonly results: readonly Named[]
}
interface Run {
  readonly id: string
  readonly state_id: string
  readonly state: Named
}

const FIELDS = [
  ...['id', 'created', 'updated', 'name', 'flow_run_id', 'task_key', 'dynamic_key', 'cache_key', 'cache_expiration'],
  ...['task_version', 'empirical_policy', 'tags', 'labels', 'state_id', 'task_inputs', 'state_type', 'state_name'],
  ...['run_count', 'flow_run_run_count', 'expected_start_time', 'next_scheduled_start_time', 'start_time', 'end_time'],
  ...['total_run_time', 'estimated_run_time', 'estimated_start_time_delta', 'state'],
]
