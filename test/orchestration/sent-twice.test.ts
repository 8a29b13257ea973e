/**
 * Events that have the same ids whoever sends them are appended once: who sends them again waits for what the first one
 * sent, since the next read is to see it.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { keepLogs, type NewTaskRun } from '#src/orchestration/index.ts'
import { sql } from '#src/store/sql.ts'
import { taskRunTable } from '#src/store/task-run.ts'
import { operatorWorld } from '#test/api/operator-world.ts'

/** Nothing applies what was appended; an answer that doesn't wait for that comes within milliseconds. */
const EARLY_MS = 300

test('who sends the same again waits until it is there, and gets what is there', async (t) => {
  const { commands, store, record } = await operatorWorld(t)
  const flow_run_id = randomUUID()
  const made: NewTaskRun = {
    ...{ id: randomUUID(), name: 'nested', flow_run_id, task_key: 'nested', dynamic_key: '0', cache_key: null },
    ...{ cache_expiration: null, task_version: null, empirical_policy: {}, tags: [], labels: {}, task_inputs: {} },
  }
  const create = () => commands.taskRuns.create(made, { type: 'PENDING' })
  const line = { name: 'x', level: 20, message: 'x', timestamp: '2026-11-24T00:00:00.000000Z', flow_run_id }
  const log = () => keepLogs({ commands, store }, [{ ...line, task_run_id: null }], '2026-11-24T00:00:01.000000Z')
  let answered = 0
  const created = [create(), sleep(EARLY_MS).then(create)]
  const logged = [log(), sleep(EARLY_MS).then(log)]
  for (const each of [...created, ...logged])
    each.then(
      () => answered++,
      () => answered++,
    )
  await sleep(2 * EARLY_MS)
  assert.equal(answered, 0, 'nobody is answered while nothing is applied')
  await record()
  await Promise.all(logged)

  const [first, second] = await Promise.all(created)
  const stored = () => taskRunTable.find(store.queries, sql.fragment`t.id = ${made.id}`)
  assert.deepEqual([first?.isNew, second], [true, { run: await stored(), isNew: false }])
  assert.equal((await store.hot.query('select from log')).rowCount, 1)

  assert.equal(await commands.taskRuns.delete(made.id), true)
  const again = await create()
  assert.deepEqual([again.isNew, again.run.state_id], [true, (await stored())?.state_id])
})
