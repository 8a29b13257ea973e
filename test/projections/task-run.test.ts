import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foldEvents } from '#src/consumer/fold-events.ts'
import type { Event } from '#src/events/event.ts'
import taskRun from '../../projections/task-run.ts'
import taskRunState from '../../projections/task-run-state.ts'
import { FLOW_RUN, instant, TASK_RUN, told } from './told.ts'

const PENDING = told({ type: 'PENDING', at: 1 })
const RUNNING = told({ type: 'RUNNING', at: 2, run: { run_count: 1, start_time: instant(2) } })
const FAILING = told({
  type: 'SCHEDULED',
  name: 'AwaitingRetry',
  at: 3,
  details: { scheduled_time: '2026-11-24T01:00:09+01:00', unknown: 1 },
  run: { run_count: 1, start_time: instant(2) },
})
const RETRYING = told({ type: 'RUNNING', name: 'Retrying', at: 4, run: { run_count: 2, start_time: instant(2) } })
const COMPLETED = told({
  type: 'COMPLETED',
  at: 5,
  run: { run_count: 2, start_time: instant(2), end_time: instant(5), total_run_time: 1.5 },
})
const HISTORY = [PENDING, RUNNING, FAILING, RETRYING, COMPLETED]

function fold(events: readonly Event[]) {
  const rows = foldEvents([taskRunState, taskRun], events)
  return { runs: rows.get('task-run') ?? [], states: rows.get('task-run-state') ?? [] }
}

function* permutations<T>(items: readonly T[]): Generator<T[]> {
  if (items.length < 2) yield [...items]
  for (const [i, first] of items.entries())
    for (const rest of permutations(items.toSpliced(i, 1))) yield [first, ...rest]
}

test('a run is what its last event tells, with all its states', () => {
  const { runs, states } = fold(HISTORY)
  assert.equal(runs.length, 1)
  const { state, ...run } = runs[0] as Record<string, unknown>
  assert.deepEqual(run, {
    id: TASK_RUN,
    created: instant(1),
    updated: instant(5),
    name: 'load-0',
    flow_run_id: FLOW_RUN,
    task_key: 'load-6b1e',
    dynamic_key: '0',
    cache_key: null,
    cache_expiration: null,
    task_version: null,
    empirical_policy: {
      max_retries: 0,
      retry_delay_seconds: 0,
      retries: 0,
      retry_delay: 0,
      retry_jitter_factor: null,
    },
    tags: ['t1'],
    labels: {},
    task_inputs: { x: [] },
    state_id: COMPLETED.id,
    state_type: 'COMPLETED',
    state_name: 'Completed',
    state_timestamp: instant(5),
    run_count: 2,
    flow_run_run_count: 1,
    expected_start_time: instant(0),
    next_scheduled_start_time: null,
    start_time: instant(2),
    end_time: instant(5),
    total_run_time: 1.5,
  })
  assert.deepEqual(
    states.map(({ name, timestamp }) => [name, timestamp]),
    [
      ['Pending', instant(1)],
      ['Running', instant(2)],
      ['AwaitingRetry', instant(3)],
      ['Retrying', instant(4)],
      ['Completed', instant(5)],
    ],
  )
  const awaiting = states[2]?.['state_details'] as Record<string, unknown>
  assert.equal(awaiting['scheduled_time'], instant(9))
  assert.equal(awaiting['task_run_id'], TASK_RUN)
  assert.equal('unknown' in awaiting, false)
  const { task_run_id: _, ...last } = states[4] as Record<string, unknown>
  assert.deepEqual(state, last)
  assert.equal(fold(HISTORY.slice(0, 3)).runs[0]?.['next_scheduled_start_time'], instant(9))
})

test('in whatever order the events come, and however often, the rows are the same', () => {
  const expected = fold(HISTORY)
  for (const order of permutations(HISTORY)) assert.deepEqual(fold([...order, order[0] as Event]), expected)
})

test('a run that is over is not moved back by a state of the same attempt, even one with a later clock', () => {
  const late = told({ type: 'RUNNING', at: 60, run: { run_count: 2 } })
  for (const events of [
    [...HISTORY, late],
    [late, ...HISTORY],
  ]) {
    const { runs, states } = fold(events)
    assert.equal(runs[0]?.['state_type'], 'COMPLETED')
    assert.equal(states.length, 6)
  }
  const again = told({ type: 'RUNNING', at: 70, run: { run_count: 3 } })
  assert.equal(fold([...HISTORY, again]).runs[0]?.['state_type'], 'RUNNING', 'a further attempt is another matter')
  const byServer = told({ type: 'SCHEDULED', at: 80, by: 'server', run: { run_count: 2 } })
  assert.equal(fold([...HISTORY, byServer]).runs[0]?.['state_type'], 'SCHEDULED', 'a server knows what it decides on')
})

// Each of the tables, a rebuild and a comparison are to fail alike, by the fold.
test('a count that the table can not hold is refused with the event', () => {
  const events = [PENDING, told({ type: 'RUNNING', at: 2, run: { run_count: 3_000_000_000 } })]
  assert.throws(() => fold(events), /payload\/task_run\/run_count/)
})

test('two ids of one task of one flow run are one run, under the id that came first', () => {
  const other = '01a20add-0000-7000-8000-ffffffffffff'
  const elsewhere = told({ type: 'PENDING', at: 8, taskRunId: other, run: { dynamic_key: '1' } })
  const { runs, states } = fold([...HISTORY, told({ type: 'FAILED', at: 7, taskRunId: other, run: { run_count: 3 } })])
  assert.deepEqual(
    runs.map(({ id, state_type }) => [id, state_type]),
    [[TASK_RUN, 'FAILED']],
  )
  assert.deepEqual([...new Set(states.map(({ task_run_id }) => task_run_id))], [TASK_RUN])
  assert.equal(fold([...HISTORY, elsewhere]).runs.length, 2)
})

test('what tells of no state changes nothing, and what can not be read says why', () => {
  const beat = { ...PENDING, event: 'prefect.task-run.heartbeat', payload: {} }
  const foreign = { ...PENDING, resource: { 'prefect.resource.id': `prefect.task-run.${TASK_RUN}` } }
  assert.deepEqual(fold([beat, foreign]), { runs: [], states: [] })
  const wrong = told({ type: 'PENDING', at: 1, run: { tags: 'x' } })
  assert.throws(() => fold([wrong]), /a task run's event can't be read: payload\/task_run\/tags/)
  assert.throws(() => fold([told({ type: 'SLEEPING', at: 1 })]), /validated_state\/type/)
  const loose = told({ type: 'PENDING', at: 1, flowRunId: null })
  assert.equal(fold([loose, { ...loose, id: RUNNING.id }]).runs[0]?.['flow_run_id'], null)
})
