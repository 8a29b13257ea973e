/**
 * Runs leave with all that belongs to them, those that are over and belong to no other only, and what the log then has
 * makes the same rows anew.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { PERSISTER, RECORDER } from '#src/bus/index.ts'
import { loadProjections } from '#src/consumer/load-projections.ts'
import { parseEventArray } from '#src/events/batch.ts'
import type { StateType } from '#src/events/state.ts'
import { ARTIFACTS, deleteFlowRun, FLOW_RUN_INPUTS, keepLogs } from '#src/orchestration/index.ts'
import { groupsOf, verifyProjections } from '#src/rebuild/index.ts'
import { groupsBehindInStreams } from '#src/retention/behind.ts'
import { clearRuns } from '#src/retention/clear-runs.ts'
import { EXPIRING, expireRuns } from '#src/retention/expire-runs.ts'
import { ledgerRules } from '#src/retention/ledgers.ts'
import { planTables } from '#src/retention/plan-tables.ts'
import type { Telling } from '#src/retention/remove-remains.ts'
import { planNeedsOf } from '#src/retention/run.ts'
import type { TablePlan } from '#src/retention/table-plan.ts'
import { operatorWorld } from '#test/api/operator-world.ts'
import { waitUntil } from '#test/wait-until.ts'
import type { TestScope } from '#test/world.ts'

const TABLES = ['flow_run', 'flow_run_state', 'log', 'flow_run_input', 'artifact', 'task_run', 'task_run_state']
const NOTHING = { key: null, type: null, description: null, data: null, metadata_: null, task_run_id: null }
const HOUR_MS = 3_600_000
const signal = new AbortController().signal

async function runsWorld(t: TestScope) {
  const operator = await operatorWorld(t, { MILLRACE_RUNS_RETENTION: '1h' }, [PERSISTER, RECORDER])
  operator.persist()
  await operator.record()
  const { commands, ingest, keeping, settings, store } = operator
  const pool = store.hot

  /** A run that went through states, with a log and a task run. Returns its id, that of its task run, and all resources. */
  async function run(states: readonly StateType[], parentTaskRunId: string | null = null) {
    const [id, taskRunId] = [randomUUID(), randomUUID()]
    const [first = 'PENDING', ...others] = states
    const about = { id, name: id, flow_id: randomUUID(), flow_name: 'etl', parent_task_run_id: parentTaskRunId }
    await commands.flowRun(id, { type: 'create', run: about, state: { type: first } })
    for (const type of others) await commands.flowRun(id, { type: 'set-state', state: { type }, force: true })
    const line = { name: 'prefect.flow_runs', level: 20, timestamp: new Date().toISOString(), task_run_id: null }
    const lines = Array.from({ length: 30 }, (_, n) => ({ ...line, message: `line ${n}`, flow_run_id: id }))
    await keepLogs({ commands, store }, lines, new Date().toISOString())
    const input = { id: randomUUID(), flow_run_id: id, key: 'answer', value: '1', sender: null }
    await commands.record(FLOW_RUN_INPUTS, input.id, { type: 'create', fields: input })
    const artifact = { id: randomUUID(), ...NOTHING, flow_run_id: id }
    await commands.record(ARTIFACTS, artifact.id, { type: 'create', fields: artifact })
    await send([taskRunEvent(id, taskRunId, 'RUNNING'), taskRunEvent(id, taskRunId, 'COMPLETED')])
    const resources = [
      `flow-run.${id}`,
      `task-run.${taskRunId}`,
      `artifact.${artifact.id}`,
      `flow-run-input.${input.id}`,
    ]
    return { id, taskRunId, resources: resources.map((name) => `prefect.${name}`) }
  }

  async function send(events: readonly object[]): Promise<void> {
    const parsed = parseEventArray(Buffer.from(JSON.stringify(events)), settings.events, Date.now())
    assert.equal(parsed.events.length, events.length)
    await ingest.take(parsed, 'http', 'persisted')
    await settled()
  }

  /** Until every group has applied all there is. */
  async function settled(): Promise<void> {
    await waitUntil(async () => (await groupsBehindInStreams(pool, operator.bus.inspector, Date.now)).length === 0)
  }

  async function counts(): Promise<Record<string, number>> {
    const found: Record<string, number> = {}
    for (const table of TABLES)
      found[table] = (await pool.query(`select count(*)::int4 as count from ${table}`)).rows[0].count
    return found
  }

  /** A task run of no flow run, with what it may have. Returns its id. */
  async function background(type: StateType): Promise<string> {
    const id = randomUUID()
    await send([taskRunEvent(null, id, 'RUNNING'), taskRunEvent(null, id, type)])
    const line = { name: 'prefect.task_runs', level: 20, timestamp: new Date().toISOString(), flow_run_id: null }
    await keepLogs({ commands, store }, [{ ...line, message: 'line', task_run_id: id }], new Date().toISOString())
    const artifact = { id: randomUUID(), ...NOTHING, flow_run_id: null, task_run_id: id }
    await commands.record(ARTIFACTS, artifact.id, { type: 'create', fields: artifact })
    return id
  }

  /** Deletes what ended by now. Returns how many flow runs, and how many task runs of no flow run. */
  async function expire(): Promise<number[]> {
    const counts: number[] = []
    for (const expiring of EXPIRING) {
      let sum = 0
      await expireRuns(keeping, expiring, Date.now() + 1_000, signal, (runs) => {
        sum += runs
      })
      counts.push(sum)
    }
    await settled()
    return counts
  }

  /** Returns how many rows of each table were cleared; by default as two hours later, when everything is followed up. */
  async function clear(laterMs = 2 * HOUR_MS, telling: Partial<Telling> = {}): Promise<Record<string, number>> {
    const counts: Record<string, number> = {}
    const needs = { ...keeping, nowMs: () => Date.now() + laterMs, newId: randomUUID, behind: async () => [] }
    await clearRuns(needs, signal, {
      onCleared(rows) {
        for (const { table } of rows) counts[table] = (counts[table] ?? 0) + 1
      },
      onStuck: (rows) => assert.fail(`${rows.length} rows are still there`),
      ...telling,
    })
    return counts
  }

  /** What would leave of tables so much later. */
  function plan(laterMs: number): Promise<TablePlan[]> {
    const needs = planNeedsOf({ ...keeping, nowMs: () => Date.now() + laterMs })
    return planTables({ ...needs, rules: ledgerRules(settings), runsKeptMs: settings.runs.retentionMs })
  }

  /** What a plan says is left of deleted runs. */
  async function remains(laterMs: number): Promise<Record<string, number>> {
    const left = (await plan(laterMs)).filter(({ what }) => what === 'rows of deleted runs')
    return Object.fromEntries(left.map(({ table, rows }) => [table, rows]))
  }

  /** Resources whose events are counted. */
  async function resources(): Promise<string[]> {
    const { rows } = await pool.query('select resource_id from resource_activity order by 1')
    return rows.map(({ resource_id }) => resource_id)
  }

  return { ...operator, pool, run, background, send, settled, counts, expire, clear, plan, remains, resources }
}

function taskRunEvent(flowRunId: string | null, taskRunId: string, type: string) {
  const flowRun = `prefect.flow-run.${flowRunId}`
  const now = new Date().toISOString()
  return {
    id: randomUUID(),
    occurred: now,
    event: `prefect.task-run.${type}`,
    resource: { 'prefect.resource.id': `prefect.task-run.${taskRunId}`, 'prefect.orchestration': 'client' },
    related: flowRunId === null ? [] : [{ 'prefect.resource.id': flowRun, 'prefect.resource.role': 'flow-run' }],
    payload: {
      validated_state: { type, name: type },
      task_run: { name: 'load-0', task_key: 'load', dynamic_key: '0', ...(type !== 'RUNNING' && { end_time: now }) },
    },
  }
}

/** Folds the log anew and compares whole rows, of all projections. Returns what differs. */
async function differences({ pool, settings }: Awaited<ReturnType<typeof runsWorld>>): Promise<unknown[]> {
  const projections = await loadProjections()
  const policy = { defaultMs: settings.events.retentionMs, overrides: {} }
  const folder = new URL('../../projections/', import.meta.url)
  const alone = { folder, place: null, owner: 'test', parallel: 0, onNews: () => {} }
  const needs = { ...alone, pool, projections, policy, nowMs: Date.now }
  const found: unknown[] = []
  const names = projections.map(({ name }) => name)
  for (const group of groupsOf(projections, names))
    for (const verified of await verifyProjections(needs, group, { sample: 1, show: 5, signal }))
      if (verified.missing + verified.extra + verified.different > 0) found.push(verified)
  return found
}

test('flow runs', async (t) => {
  const world = await runsWorld(t)
  const { commands, counts, clear, expire, plan, pool, remains, resources, run, send, settled } = world

  const ended = await run(['PENDING', 'RUNNING', 'COMPLETED'])
  const running = await run(['RUNNING'])
  const nested = await run(['RUNNING', 'FAILED'], running.taskRunId)
  const begunAgain = await run(['RUNNING', 'FAILED', 'SCHEDULED'])
  const all = {
    flow_run: 4,
    flow_run_state: 9,
    log: 120,
    flow_run_input: 4,
    artifact: 4,
    task_run: 4,
    task_run_state: 10, // the task run that stands for the nested run has its states, too
  }
  assert.deepEqual(await counts(), all)

  await t.test('a plan counts those that are over, belong to no other run and ended long ago', async () => {
    assert.deepEqual(await plan(0), []) // the hour is not over
    assert.deepEqual(
      (await plan(2 * HOUR_MS)).map(({ what, rows }) => [what, rows]),
      [['flow runs', 1]],
    )
  })

  await t.test('the run leaves, and after it its states, its logs and its task runs; others stay', async () => {
    assert.deepEqual(await expire(), [1, 0])
    assert.deepEqual(await counts(), { ...all, flow_run: 3 })
    const left = {
      flow_run_input: 1,
      artifact: 1,
      flow_run_state: 3,
      log: 30,
      task_run_state: 2,
      task_run: 1,
      resource_activity: 2, // those of inputs and artifacts leave with these
    }
    assert.deepEqual(await remains(0), {}, 'half a minute is not over')
    assert.deepEqual(await remains(2 * HOUR_MS), left)
    assert.deepEqual(await clear(), left)
    assert.deepEqual(await remains(2 * HOUR_MS), {})
    assert.deepEqual(await counts(), {
      flow_run: 3,
      flow_run_state: 6,
      log: 90,
      flow_run_input: 3,
      artifact: 3,
      task_run: 3,
      task_run_state: 8,
    })
    const { rows } = await pool.query('select from log where flow_run_id = $1', [ended.id])
    assert.equal(rows.length, 0)
    assert.deepEqual(await resources(), [running, nested, begunAgain].flatMap((those) => those.resources).sort())
    assert.deepEqual(await clear(), {})
  })

  await t.test('a nested run leaves when the run is gone that it belonged to, whoever deleted that', async () => {
    assert.deepEqual(await expire(), [0, 0])
    await commands.flowRun(running.id, { type: 'delete' })
    await settled()
    await clear()
    assert.deepEqual(await expire(), [1, 0])
    await clear()
    const { rows } = await pool.query('select id from flow_run')
    assert.deepEqual(rows, [{ id: begunAgain.id }])
  })

  await t.test('a run that begins again while it is due stays', async () => {
    const answer = await commands.flowRun(begunAgain.id, {
      type: 'expire',
      endedBefore: new Date(Date.now() + HOUR_MS).toISOString(),
    })
    assert.equal(answer.kind, 'run')
  })

  await t.test('what is sent of a run after it was cleared is cleared by the second look', async () => {
    const late = await run(['RUNNING', 'CRASHED'])
    await commands.flowRun(late.id, { type: 'delete' })
    await settled()
    assert.notDeepEqual(await clear(60_000), {})
    await send([taskRunEvent(late.id, late.taskRunId, 'COMPLETED')])
    assert.deepEqual(await clear(60_000), {})
    assert.deepEqual(await clear(), { task_run_state: 1, task_run: 1, resource_activity: 1 })
  })

  await t.test('what a client deletes with its task runs leaves no states of these', async () => {
    const asked = await run(['RUNNING', 'COMPLETED'])
    await deleteFlowRun({ commands, store: world.store }, asked.id)
    await settled()
    await clear()
    const { rows } = await pool.query('select from task_run_state where task_run_id = $1', [asked.taskRunId])
    assert.equal(rows.length, 0)
  })

  await t.test(
    'nothing but what belongs to runs that are there is left, and the log makes the same rows anew',
    async () => {
      assert.deepEqual(await resources(), [...begunAgain.resources].sort())
      assert.deepEqual(await counts(), {
        flow_run: 1,
        flow_run_state: 3,
        log: 30,
        flow_run_input: 1,
        artifact: 1,
        task_run: 1,
        task_run_state: 2,
      })
      await settled()
      assert.deepEqual(await differences(world), [])
    },
  )
})

test('task runs of no flow run', async (t) => {
  const world = await runsWorld(t)
  const { background, clear, commands, counts, expire, plan, pool, resources, run, send } = world
  const [ended, running] = [await background('COMPLETED'), await background('RUNNING')]
  const ofFlow = await run(['RUNNING'])
  assert.deepEqual(
    (await plan(2 * HOUR_MS)).map(({ what, rows }) => [what, rows]),
    [['task runs of no flow run', 1]],
  )
  assert.deepEqual(await expire(), [0, 1])
  assert.deepEqual(await clear(), { task_run_state: 2, log: 1, artifact: 1 })
  const rest = {
    flow_run: 1,
    flow_run_state: 1,
    log: 31,
    flow_run_input: 1,
    artifact: 2,
    task_run: 2,
    task_run_state: 4,
  }
  assert.deepEqual(await counts(), rest)
  assert.equal((await resources()).includes(`prefect.task-run.${ended}`), false)
  assert.equal((await resources()).length, ofFlow.resources.length + 2) // the running one and its artifact

  // One that begins again under its id while it is due, and one whose events come late.
  assert.equal(await commands.taskRuns.expire(running, new Date(Date.now() + HOUR_MS).toISOString()), false)
  await send([taskRunEvent(null, ended, 'COMPLETED')])
  assert.deepEqual(await clear(), {}, 'it is there again')
  assert.deepEqual(await expire(), [0, 1])
  assert.deepEqual(await clear(), { task_run_state: 1 })
  assert.deepEqual(await counts(), rest)
  const { rows } = await pool.query('select from task_run where id = $1', [ended])
  assert.equal(rows.length, 0)
  assert.deepEqual(await differences(world), [])
})

test('rows that stay although they were cleared are named, and keep nothing else from leaving', async (t) => {
  const { clear, commands, pool, run, settled } = await runsWorld(t)
  const [stuck, next] = [await run(['RUNNING', 'COMPLETED']), await run(['RUNNING', 'COMPLETED'])]
  await pool.query(`create rule stays as on delete to log where old.flow_run_id = '${stuck.id}' do instead nothing`)
  await commands.flowRun(stuck.id, { type: 'delete' })
  await commands.flowRun(next.id, { type: 'delete' })
  await settled()
  const named = new Set<string>()
  await clear(60_000, {
    onStuck(rows) {
      for (const { table, run } of rows) named.add(`${table} of ${run}`)
    },
  })
  assert.deepEqual([...named], [`log of ${stuck.id}`])
  assert.deepEqual((await pool.query('select distinct flow_run_id as id from log')).rows, [{ id: stuck.id }])
  assert.deepEqual(await clear(60_000), {}, 'these deletions were followed up')
})
