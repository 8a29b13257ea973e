import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Slot } from '#src/orchestration/flow-run/transition.ts'
import { History } from './history.ts'

const RESULT = { storage_key: 'results/1' }

describe('a run that begins', () => {
  test('is pending, then running, then over, and knows how long that took', () => {
    const history = new History().create()
    assert.equal(history.pass(1).propose('RUNNING'), 'ACCEPT')
    assert.equal(history.pass(2.5).propose('COMPLETED'), 'ACCEPT')
    const { run_count, total_run_time, start_time, end_time, state_type, version } = history.run
    assert.deepEqual(
      { run_count, total_run_time, start_time, end_time, state_type, version },
      {
        run_count: 1,
        total_run_time: 2.5,
        start_time: '2026-11-24T00:00:01.000000Z',
        end_time: '2026-11-24T00:00:03.500000Z',
        state_type: 'COMPLETED',
        version: 3,
      },
    )
  })

  test('is taken by one worker alone', () => {
    const history = new History().create()
    assert.match(history.propose('PENDING'), /^ABORT: This run is in a PENDING state/)
    assert.equal(history.propose('PENDING', { name: 'Submitting' }), 'ACCEPT')
    assert.match(history.propose('PENDING', { name: 'Pending' }), /^ABORT/)
    assert.match(history.propose('PENDING', { name: 'Submitting' }), /^ABORT/)
    assert.equal(history.propose('RUNNING'), 'ACCEPT')
    assert.match(history.propose('PENDING'), /^ABORT: This run is in a RUNNING state/)
  })

  test('waits for its time, which it keeps while it is pending', () => {
    const history = new History()
    const due = '2026-11-24T00:01:00.000000Z'
    history.create({ deployment_id: 'd' })
    assert.equal(history.propose('SCHEDULED', { state_details: { scheduled_time: due } }), 'ACCEPT')
    assert.equal(history.run.next_scheduled_start_time, due)
    assert.equal(history.propose('PENDING'), 'ACCEPT')
    assert.equal(history.state.state_details.scheduled_time, due)
    assert.equal(history.run.next_scheduled_start_time, null)
    assert.equal(history.pass(1).propose('RUNNING'), 'WAIT 59')
    assert.equal(history.state.type, 'PENDING')
    assert.equal(history.pass(59).propose('RUNNING'), 'ACCEPT')
  })

  test('is late once, and only while it is scheduled', () => {
    const history = new History().create({ deployment_id: 'd' })
    assert.match(history.propose('SCHEDULED', { name: 'Late' }), /^REJECT: Only scheduled/)
    history.propose('SCHEDULED')
    assert.equal(history.propose('SCHEDULED', { name: 'Late' }), 'ACCEPT')
    assert.match(history.propose('SCHEDULED', { name: 'Late' }), /^REJECT: This flow run is already/)
  })
})

test('a run that is late for want of a slot is cancelled where none should wait', () => {
  const late = (slot: Slot | null) => {
    const history = new History().create({ deployment_id: 'd' })
    history.propose('SCHEDULED')
    history.slot = slot
    return [history.propose('SCHEDULED', { name: 'Late' }), history.state.type, history.state.message]
  }
  assert.deepEqual(late({ kind: 'full', strategy: 'ENQUEUE' }), ['ACCEPT', 'SCHEDULED', null])
  assert.deepEqual(late({ kind: 'full', strategy: 'CANCEL_NEW' }), [
    'REJECT: Deployment concurrency limit is full and uses the CANCEL_NEW strategy.',
    'CANCELLED',
    'Deployment concurrency limit reached.',
  ])
})

test('a change asked for twice is made once', () => {
  const history = new History().create()
  const again = { state_details: { transition_id: 't1' } }
  assert.equal(history.propose('RUNNING', again), 'ACCEPT')
  const { id } = history.state
  assert.match(history.propose('RUNNING', again), /^REJECT: This run has already made this state transition/)
  assert.equal(history.state.id, id)
})

describe('a run that fails', () => {
  test('is tried again as often as it says, and waits between', () => {
    const history = new History().create({ empirical_policy: { retries: 1, retry_delay: 10 } })
    history.propose('RUNNING')
    assert.equal(history.propose('FAILED', { message: 'oh', data: RESULT }), 'REJECT: Retrying')
    assert.deepEqual(
      { name: history.state.name, message: history.state.message, data: history.state.data },
      { name: 'AwaitingRetry', message: 'oh', data: RESULT },
    )
    assert.equal(history.run.empirical_policy.retry_type, 'in_process')
    assert.match(history.propose('RUNNING'), /^WAIT 10$/)
    assert.equal(history.pass(10).propose('RUNNING'), 'ACCEPT')
    assert.equal(history.state.name, 'Running')
    assert.equal(history.run.run_count, 2)
    assert.equal(history.propose('FAILED'), 'ACCEPT')
    assert.equal(history.run.empirical_policy.retry_type, null)
  })

  test('without retries has failed', () => {
    const history = new History().create()
    history.propose('RUNNING')
    assert.equal(history.propose('FAILED'), 'ACCEPT')
  })
})

describe('a run that is over', () => {
  test('is not cancelled, paused or crashed any more', () => {
    const history = new History().create()
    history.propose('COMPLETED')
    for (const type of ['CANCELLING', 'PAUSED', 'CRASHED'] as const)
      assert.equal(history.propose(type), 'ABORT: Run is already in terminal state COMPLETED.')
  })

  test('keeps its result, whatever is forced', () => {
    const history = new History().create()
    history.propose('COMPLETED', { data: RESULT })
    assert.equal(history.propose('RUNNING'), 'REJECT: Run is already COMPLETED.')
    assert.match(history.propose('COMPLETED'), /^REJECT: Cannot overwrite/)
    assert.match(history.propose('COMPLETED', {}, true), /^REJECT: Cannot overwrite/)
    assert.equal(history.propose('COMPLETED', { data: RESULT }), 'ACCEPT')
  })

  test('is scheduled again only by its deployment, and begins anew then', () => {
    const adHoc = new History().create()
    adHoc.propose('FAILED')
    assert.match(adHoc.propose('SCHEDULED'), /^ABORT: Cannot reschedule/)
    const deployed = new History().create({ deployment_id: 'd' })
    deployed.propose('FAILED')
    assert.equal(deployed.propose('SCHEDULED', { name: 'AwaitingRetry' }), 'ACCEPT')
    assert.equal(deployed.run.end_time, null)
    assert.equal(deployed.run.empirical_policy.retry_type, 'reschedule')
  })
})

describe('a run that is cancelled', () => {
  test('ends cancelled, and as nothing else', () => {
    const history = new History().create()
    history.propose('RUNNING')
    assert.equal(history.propose('CANCELLING'), 'ACCEPT')
    assert.match(history.propose('COMPLETED'), /^REJECT: Cannot transition flows that are cancelling/)
    assert.equal(history.propose('CANCELLED'), 'ACCEPT')
  })

  test('is cancelled at once when it has no process, forced or not', () => {
    for (const force of [false, true]) {
      const history = new History().create({ deployment_id: 'd' })
      history.propose('SCHEDULED')
      assert.match(history.propose('CANCELLING', {}, force), /^REJECT: Scheduled flow run has no infrastructure/)
      assert.equal(history.state.type, 'CANCELLED')
    }
    const started = new History().create({ deployment_id: 'd', infrastructure_pid: 'host:7' })
    started.propose('SCHEDULED')
    assert.equal(started.propose('CANCELLING'), 'ACCEPT')
  })
})

describe('a run that pauses', () => {
  test('does so while it runs, once for each key', () => {
    const history = new History().create()
    assert.match(history.propose('PAUSED'), /^REJECT: Cannot pause flows that are not currently running/)
    history.propose('RUNNING')
    const pause = { state_details: { pause_key: '1', pause_timeout: '2026-11-24T01:00:00.000000Z' } }
    assert.equal(history.propose('PAUSED', pause), 'ACCEPT')
    assert.match(history.propose('PENDING'), /^REJECT: This run cannot transition to the PENDING state/)
    assert.equal(history.command({ type: 'resume' }).kind, 'run')
    assert.equal(history.state.type, 'RUNNING')
    assert.equal(history.propose('PAUSED', pause), 'REJECT: This pause has already fired.')
  })

  test('fails when it is resumed too late', () => {
    const history = new History().create()
    history.propose('RUNNING')
    history.propose('PAUSED', { state_details: { pause_timeout: '2026-11-24T00:00:05.000000Z' } })
    assert.match(history.pass(6).propose('RUNNING'), /^REJECT: The flow run pause has timed out/)
    assert.equal(history.state.type, 'FAILED')
    assert.equal(history.state.message, 'The flow was running and never resumed.')
  })

  test('leaves its process only with a deployment that can start another', () => {
    const suspended = { name: 'Suspended', state_details: { pause_reschedule: true } }
    const adHoc = new History().create()
    adHoc.propose('RUNNING')
    assert.equal(adHoc.propose('PAUSED', suspended), 'ABORT: Cannot suspend flows without a deployment.')
    const deployed = new History().create({ deployment_id: 'd' })
    deployed.propose('RUNNING')
    assert.equal(deployed.propose('PAUSED', suspended), 'ACCEPT')
    deployed.command({ type: 'resume' })
    assert.equal(deployed.state.name, 'Resuming')
    deployed.propose('PENDING')
    deployed.propose('RUNNING')
    assert.equal(deployed.run.run_count, 1, 'going on is no new try')
    assert.equal(deployed.run.empirical_policy.resuming, false)
  })

  test('is not resumed when it does not pause', () => {
    const answer = new History().create().command({ type: 'resume' })
    assert.ok(answer.kind === 'run' && answer.verdict?.ruling.kind === 'abort')
  })
})
