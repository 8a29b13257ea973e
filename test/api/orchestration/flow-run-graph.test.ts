import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { graphOf } from '#src/api/orchestration/graph.ts'
import type { RunPart } from '#src/store/run-graph.ts'
import { type Answer, apiClient } from './client.ts'

test('the graph of a run is drawn from what its tasks were given', async (t) => {
  const api = await apiClient(t)
  const { id: flow_id } = await api.call(201, 'POST', '/flows/', { name: 'drawn' })
  const state = { type: 'RUNNING' }
  const { id: flow_run_id } = await api.call(201, 'POST', '/flow_runs/', { flow_id, name: 'whole', state })
  const task = async (name: string, task_inputs: object = {}): Promise<string> => {
    const run = { flow_run_id, task_key: name, name, dynamic_key: '0', task_inputs, state }
    return (await api.call(201, 'POST', '/task_runs/', run)).id
  }
  const given = (...ids: string[]) => ids.map((id) => ({ input_type: 'task_run', id }))
  const extract = await task('extract', { path: [{ input_type: 'parameter', name: 'path' }] })
  const standIn = await task('nested', { rows: given(extract) })
  const nested = { flow_id, name: 'inner', parent_task_run_id: standIn, state }
  const { id: inner } = await api.call(201, 'POST', '/flow_runs/', nested)
  const load = await task('load', { rows: given(standIn, extract), twice: given(extract), lost: given(randomUUID()) })
  const within = await task('within', { __parents__: given(load) })
  const table = { key: 'rows', type: 'table', data: [1], flow_run_id, task_run_id: load }
  const { id: older } = await api.call(201, 'POST', '/artifacts/', table)
  const { id: newer } = await api.call(201, 'POST', '/artifacts/', table)
  await api.call(201, 'POST', '/artifacts/', { type: 'progress', data: 7, flow_run_id })
  await api.call(201, 'POST', '/artifacts/', { type: 'result', data: 7, flow_run_id })
  await api.call(201, 'POST', `/task_runs/${extract}/set_state`, { state: { type: 'COMPLETED' } })

  const graph = await api.call(200, 'GET', `/flow_runs/${flow_run_id}/graph-v2`)
  const nodes: Record<string, Answer> = Object.fromEntries(graph.nodes)
  const shape = graph.nodes.map(([id, node]: [string, Answer]) => {
    assert.equal(id, node.id)
    const edges = ['parents', 'children', 'encapsulating'].map((side) => node[side].map(({ id }: Answer) => id).sort())
    return [node.kind, node.label, node.state_type, id, ...edges]
  })
  assert.deepEqual(shape, [
    ['task-run', 'extract', 'COMPLETED', extract, [], [inner, load].sort(), []],
    ['flow-run', 'drawn / inner', 'RUNNING', inner, [extract], [load], []],
    ['task-run', 'load', 'RUNNING', load, [inner, extract].sort(), [], []],
    ['task-run', 'within', 'RUNNING', within, [], [], [load]],
  ])
  assert.deepEqual(graph.root_node_ids, [extract, within])
  assert.deepEqual(
    nodes[load].artifacts.map(({ id, is_latest, data }: Answer) => [id, is_latest, data]),
    [
      [older, false, null],
      [newer, true, null],
    ],
  )
  assert.deepEqual(
    graph.artifacts.map(({ type, data, key, is_latest }: Answer) => [type, data, key, is_latest]),
    [['progress', 7, null, true]],
  )
  assert.deepEqual(
    graph.states.map(({ type, name }: Answer) => [type, name]),
    [['RUNNING', 'Running']],
  )

  const soon = encodeURIComponent(new Date(Date.now() + 60_000).toISOString())
  const later = await api.call(200, 'GET', `/flow_runs/${flow_run_id}/graph-v2?since=${soon}`)
  assert.deepEqual(
    later.nodes.map(([id]: [string]) => id),
    [inner, load, within],
    'what ended before it is known already',
  )

  const older_graph = await api.call(200, 'GET', `/flow_runs/${flow_run_id}/graph`)
  const upstream = Object.fromEntries(
    older_graph.map(({ name, upstream_dependencies }: Answer) => [
      name,
      upstream_dependencies.map(({ id, name }: Answer) => id ?? name),
    ]),
  )
  assert.deepEqual(upstream.extract, ['path'])
  assert.deepEqual(upstream.load.slice(0, 2), [standIn, extract])
  assert.equal(upstream.load.length, 3, 'each once')

  await api.call(404, 'GET', `/flow_runs/${randomUUID()}/graph`)
  await api.call(404, 'GET', `/flow_runs/${randomUUID()}/graph-v2`)
  await api.call(422, 'GET', `/flow_runs/${flow_run_id}/graph-v2?since=yesterday`)
})

test('of inputs that no client of today sends the graph makes what it can', () => {
  const part = (id: string, task_inputs: unknown): RunPart => ({
    ...{ id, task_run_id: id, kind: 'task-run', label: id, state_type: 'RUNNING', start_time: '', end_time: null },
    task_inputs,
  })
  const parts = [part('a', null), part('b', { x: 'a', y: [null, 'a', { id: 'a' }, { id: 7 }] }), part('c', [])]
  const run = { start_time: null, end_time: null }
  const { nodes, root_node_ids } = graphOf({ run, parts, artifacts: [], states: [], since: null })
  assert.deepEqual(root_node_ids, ['a', 'c'])
  assert.deepEqual(nodes[1]?.[1].parents, [{ id: 'a' }])
})
