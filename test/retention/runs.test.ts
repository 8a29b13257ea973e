/**
 * Flow runs leave with all that belongs to them, top-level and terminal ones only, and what the log then has makes the
 * same rows anew.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { PERSISTER, RECORDER } from '#src/bus/index.ts'
import { createFold, indexesOf } from '#src/consumer/fold.ts'
import { loadProjections } from '#src/consumer/load-projections.ts'
import { ProjectedEvent } from '#src/consumer/projected-event.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { MemoryRows } from '#src/consumer/rows.ts'
import { parseEventArray } from '#src/events/batch.ts'
import type { StateType } from '#src/events/state.ts'
import { ARTIFACTS, FLOW_RUN_INPUTS, logEvents } from '#src/orchestration/index.ts'
import { groupsBehindInStreams } from '#src/retention/behind.ts'
import { clearRuns } from '#src/retention/clear-runs.ts'
import { expireRuns } from '#src/retention/expire-runs.ts'
import { planRetention } from '#src/retention/run.ts'
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

  /** A run that went through states, with a log and a task run. Returns its id and that of its task run. */
  async function run(states: readonly StateType[], parentTaskRunId: string | null = null) {
    const [id, taskRunId] = [randomUUID(), randomUUID()]
    const [first = 'PENDING', ...others] = states
    const about = { id, name: id, flow_id: randomUUID(), flow_name: 'etl', parent_task_run_id: parentTaskRunId }
    await commands.flowRun(id, { type: 'create', run: about, state: { type: first } })
    for (const type of others) await commands.flowRun(id, { type: 'set-state', state: { type }, force: true })
    const line = { name: 'prefect.flow_runs', level: 20, timestamp: new Date().toISOString(), task_run_id: null }
    const lines = Array.from({ length: 30 }, (_, n) => ({ ...line, message: `line ${n}`, flow_run_id: id }))
    await commands.events(logEvents(lines, new Date().toISOString()))
    const input = { id: randomUUID(), flow_run_id: id, key: 'answer', value: '1', sender: null }
    await commands.record(FLOW_RUN_INPUTS, input.id, { type: 'create', fields: input })
    const artifact = { id: randomUUID(), ...NOTHING, flow_run_id: id }
    await commands.record(ARTIFACTS, artifact.id, { type: 'create', fields: artifact })
    await send([taskRunEvent(id, taskRunId, 'RUNNING'), taskRunEvent(id, taskRunId, 'COMPLETED')])
    return { id, taskRunId }
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

  return {
    ...operator,
    pool,
    run,
    send,
    settled,
    counts,
    expire: () => expireRuns(keeping, Date.now() + 1_000, signal, () => {}),
    /** As an hour later, when everything has been followed up. */
    clear: () =>
      clearRuns(
        { ...keeping, nowMs: () => Date.now() + 2 * HOUR_MS, newId: randomUUID, behind: async () => [] },
        signal,
        () => {},
      ),
  }
}

function taskRunEvent(flowRunId: string, taskRunId: string, type: string) {
  return {
    id: randomUUID(),
    occurred: new Date().toISOString(),
    event: `prefect.task-run.${type}`,
    resource: { 'prefect.resource.id': `prefect.task-run.${taskRunId}`, 'prefect.orchestration': 'client' },
    related: [{ 'prefect.resource.id': `prefect.flow-run.${flowRunId}`, 'prefect.resource.role': 'flow-run' }],
    payload: {
      validated_state: { type, name: type },
      task_run: { name: 'load-0', task_key: 'load', dynamic_key: '0' },
    },
  }
}

/** The keys of all rows that the events of the log make, by table. */
async function folded(world: Awaited<ReturnType<typeof runsWorld>>): Promise<Map<string, string[]>> {
  const projections = await loadProjections()
  const tables = new Map<Projection, MemoryRows>()
  const fold = createFold(projections, (projection) => {
    const rows = new MemoryRows(projection, indexesOf(projection, projections))
    tables.set(projection, rows)
    return rows
  })
  const { rows } = await world.pool.query(
    `select to_char(occurred at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as occurred, id, event, follows,
       resource_id as "resourceId", resource::text, related::text, payload::text, partition, entry_ms, entry_seq, entry_index
     from event order by partition, entry_ms, entry_seq, entry_index`,
  )
  for (const { partition, entry_ms, entry_seq, entry_index, ...record } of rows) {
    const position = { partition, ms: Number(entry_ms), seq: Number(entry_seq), index: entry_index }
    fold.apply(new ProjectedEvent(record, record.occurred, position), (projection, error) => {
      throw new Error(projection.name, { cause: error })
    })
  }
  return new Map([...tables].map(([{ table }, { rows: kept }]) => [table, [...kept.keys()].sort()]))
}

test('runs', async (t) => {
  const world = await runsWorld(t)
  const { commands, counts, clear, expire, keeping, pool, run, send, settled } = world

  const ended = await run(['PENDING', 'RUNNING', 'COMPLETED'])
  const running = await run(['RUNNING'])
  const nested = await run(['RUNNING', 'FAILED'], running.taskRunId)
  const begunAgain = await run(['RUNNING', 'FAILED', 'SCHEDULED'])
  assert.deepEqual(await counts(), {
    flow_run: 4,
    flow_run_state: 9,
    log: 120,
    flow_run_input: 4,
    artifact: 4,
    task_run: 4,
    task_run_state: 10, // the task run that stands for the nested run has its states, too
  })

  await t.test('a plan counts those that are over, belong to no other run and ended long ago', async () => {
    assert.deepEqual((await planRetention(keeping)).tables, []) // the hour is not over
    const later = await planRetention({ ...keeping, nowMs: () => Date.now() + 2 * HOUR_MS })
    assert.deepEqual(
      later.tables.map(({ what, rows }) => [what, rows]),
      [['flow runs', 1]],
    )
  })

  await t.test('the run leaves, and after it its states, its logs and its task runs; others stay', async () => {
    assert.equal(await expire(), 1)
    assert.deepEqual(await counts(), { ...(await counts()), flow_run: 3, log: 120 })
    await settled()
    const cleared = await clear()
    assert.deepEqual(Object.fromEntries(cleared), {
      flow_run_input: 1,
      artifact: 1,
      flow_run_state: 3,
      log: 30,
      task_run_state: 2,
      task_run: 1,
    })
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
    assert.equal((await clear()).size, 0)
  })

  await t.test('a nested run leaves when the run is gone that it belonged to, whoever deleted that', async () => {
    assert.equal(await expire(), 0)
    await commands.flowRun(running.id, { type: 'delete' })
    await settled()
    await clear()
    assert.equal(await expire(), 1)
    await settled()
    await clear()
    const { rows } = await pool.query('select id from flow_run')
    assert.deepEqual(
      rows.map(({ id }) => id),
      [begunAgain.id],
    )
    assert.ok(nested.id !== begunAgain.id)
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
    const soon = { ...keeping, nowMs: () => Date.now() + 60_000, newId: randomUUID, behind: async () => [] }
    assert.ok((await clearRuns(soon, signal, () => {})).size > 0)
    await send([taskRunEvent(late.id, late.taskRunId, 'COMPLETED')])
    assert.equal((await clearRuns(soon, signal, () => {})).size, 0)
    assert.deepEqual(Object.fromEntries(await clear()), { task_run_state: 1, task_run: 1 })
  })

  await t.test('the events of the log make the same rows anew', async () => {
    await settled()
    const anew = await folded(world)
    for (const table of TABLES) {
      const { rows } = await pool.query(`select id from ${table} order by id`)
      assert.deepEqual(
        rows.map(({ id }) => id),
        anew.get(table),
        table,
      )
    }
    const { rows } = await pool.query(
      `select resource_id from resource_activity where resource_id like 'prefect.flow-run.%'`,
    )
    assert.deepEqual(
      rows.map(({ resource_id }) => resource_id),
      [`prefect.flow-run.${begunAgain.id}`],
    )
  })
})
