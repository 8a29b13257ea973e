/** Task runs that servers change: by their rules, by a new name, and as the image of a nested flow. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import type { FlowRunRow } from '#src/events/flow-run.ts'
import type { NewTaskRun } from '#src/orchestration/index.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import { sql } from '#src/store/sql.ts'
import { taskRunTable } from '#src/store/task-run.ts'
import { operatorWorld } from '#test/api/operator-world.ts'

function newRun(flow_run_id: string | null, more: Partial<NewTaskRun> = {}): NewTaskRun {
  return {
    ...{ id: randomUUID(), name: 'one', flow_run_id, task_key: 'one', dynamic_key: '0', cache_key: null },
    ...{ cache_expiration: null, task_version: null, empirical_policy: {}, tags: [], labels: {}, task_inputs: {} },
    ...more,
  }
}

test('task runs that servers change', async (t) => {
  const { commands, store, record, persist } = await operatorWorld(t)
  persist()
  await record()
  const { taskRuns } = commands
  const taskRun = (id: string) => taskRunTable.find(store.queries, sql.fragment`t.id = ${id}`)
  const flowRun = async (id: string) =>
    (await flowRunTable.find(store.queries, sql.fragment`t.id = ${id}`)) as FlowRunRow
  const startFlow = async (parent_task_run_id: string | null = null) => {
    const run = { id: randomUUID(), name: 'f', flow_id: randomUUID(), flow_name: 'f', parent_task_run_id }
    await commands.flowRun(run.id, { type: 'create', run, state: { type: 'PENDING' } })
    await commands.flowRun(run.id, { type: 'set-state', state: { type: 'RUNNING' }, force: false })
    return run.id
  }

  await t.test('who begins anew after the end has all retries again, in the attempt of the flow', async () => {
    const of = await startFlow()
    const made = newRun(of, { empirical_policy: { retries: 1, retry_delay: 0 } })
    await taskRuns.create(made, { type: 'PENDING' })
    const go = async (type: 'RUNNING' | 'FAILED') => (await taskRuns.setState(made.id, { type }, false))?.run
    assert.deepEqual([(await go('RUNNING'))?.run_count, (await go('FAILED'))?.state_name], [1, 'AwaitingRetry'])
    assert.deepEqual([(await go('RUNNING'))?.run_count, (await go('FAILED'))?.state_name], [2, 'Failed'])
    const anew = await go('RUNNING')
    assert.deepEqual([anew?.run_count, anew?.flow_run_run_count], [1, 1])
    assert.equal((await go('FAILED'))?.state_name, 'AwaitingRetry')
  })

  await t.test('of two that make the same one under two ids at once both are told of one', async () => {
    const of = await startFlow()
    const both = await Promise.all([newRun(of), newRun(of)].map((run) => taskRuns.create(run, { type: 'PENDING' })))
    assert.deepEqual(both.map(({ isNew }) => isNew).sort(), [false, true])
    assert.equal(both[0]?.run.id, both[1]?.run.id)
    assert.equal((await taskRun(both[0]?.run.id as string))?.flow_run_id, of)
  })

  await t.test('a new name is no new state', async () => {
    const made = newRun(await startFlow())
    const { run } = await taskRuns.create(made, { type: 'COMPLETED' })
    assert.equal(await taskRuns.rename(made.id, 'renamed'), true)
    const now = await taskRun(made.id)
    assert.deepEqual([now?.name, now?.state_id], ['renamed', run.state_id])
    const { rows } = await store.hot.query('select from task_run_state where task_run_id = $1', [made.id])
    assert.equal(rows.length, 1)
    assert.equal(await taskRuns.rename(randomUUID(), 'nobody'), false)
  })

  await t.test('the image of a nested flow is never moved back, and what was missed is made up for', async () => {
    const parent = newRun(await startFlow(), { task_key: 'nested' })
    await taskRuns.create(parent, { type: 'PENDING' })
    const child = await startFlow(parent.id)
    const stale = await flowRun(child)
    const state = async () => (await taskRun(parent.id))?.state_name
    assert.equal(await state(), 'Running')
    await commands.flowRun(child, { type: 'set-state', state: { type: 'COMPLETED' }, force: false })
    assert.equal(await state(), 'Completed')
    await taskRuns.mirror(stale) // of a server that was slow
    assert.equal(await state(), 'Completed')

    // As one that did not know of the end would have left it.
    await taskRuns.setState(parent.id, { type: 'RUNNING' }, true)
    assert.equal(await state(), 'Running')
    await taskRuns.mirror(await flowRun(child))
    assert.equal(await state(), 'Completed')
  })
})
