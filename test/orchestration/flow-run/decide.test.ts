import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foldEvents } from '#src/consumer/fold-events.ts'
import { STATE_TYPES, type State } from '#src/events/state.ts'
import type { Slot } from '#src/orchestration/flow-run/transition.ts'
import type { FlowRunAnswer } from '#src/orchestration/index.ts'
import { chosenSeed, createRandom, type Random } from '#test/faults/harness/random.ts'
import flowRun from '../../../projections/flow-run.ts'
import { History } from './history.ts'
import { agreesWithHistory, holds, keepsLease, mayFollow } from './invariants.ts'

const RUNS = 600
const COMMANDS = 30
const NAMES = [null, null, null, 'Late', 'Submitting', 'AwaitingRetry', 'Suspended', 'Retrying', 'Ünïcode/ %']

const SLOTS: readonly (Slot | null)[] = [
  null,
  null,
  { kind: 'held', leaseId: 'lease' },
  { kind: 'held', leaseId: 'another-lease' },
  { kind: 'full', strategy: 'ENQUEUE' },
  { kind: 'full', strategy: 'CANCEL_NEW' },
  { kind: 'never' },
  { kind: 'no-deployment' },
]

test('no sequence of commands breaks what holds of every run', () => {
  const random = createRandom(chosenSeed())
  for (let i = 0; i < RUNS; i++) {
    const create = () =>
      history.create({
        empirical_policy: { retries: random.below(3), retry_delay: random.below(2) * 5 },
        deployment_id: random.pick([null, 'd']),
        parent_task_run_id: random.pick([null, null, 'task']),
      })
    const history = new History()
    create()
    for (let n = 0; n < COMMANDS; n++) {
      const seed = `seed ${random.seed}, run ${i}, command ${n}`
      const before = history.row
      if (before === null) {
        create() // with the same id
        assert.equal(history.run.version, history.events.length, `${seed}: it counts on where the deleted one ended`)
        continue
      }
      const events = history.events.length
      history.slot = before.deployment_id === null ? null : random.pick(SLOTS)
      const { answer, forced } = randomCommand(history, random)
      const made = history.events.slice(events)
      if (answer.kind === 'run')
        assert.deepEqual(answer.run, history.row, `${seed}: the answer is what its events make`)
      holds(before, history.row, made, seed)
      if (history.row !== null) keepsLease(before, history.row, history.slot, seed)
      if (history.row !== null && made.length > 0 && !forced) mayFollow(before, history.row, history.slot, seed)
    }
    agreesWithHistory(history, `seed ${random.seed}, run ${i}`)
    const [replayed = null] = foldEvents([flowRun], history.events).get(flowRun.name) ?? []
    assert.deepEqual(replayed, history.row, `the events of run ${i} give another run (seed ${random.seed})`)
  }
})

/** Now and then a transition is asked for once more, as by a client that got no answer: nothing comes of it. */
function randomCommand(history: History, random: Random): { answer: FlowRunAnswer; forced: boolean } {
  history.pass(random.pick([0, 0, 0.5, 3, 60, 400, -1]))
  const kind = random.below(40)
  if (kind < 2) return { answer: history.command({ type: 'resume' }), forced: false }
  if (kind < 4) {
    const changes = { name: `name-${random.below(9)}`, labels: { a: kind }, tags: [`t${random.below(3)}`] }
    return { answer: history.command({ type: 'update', changes }), forced: true }
  }
  if (kind === 4 && random.below(4) === 0) return { answer: history.command({ type: 'delete' }), forced: false }
  if (kind === 5) return { answer: history.command({ type: 'expire', endedBefore: history.now }), forced: false }
  const force = random.below(8) === 0
  const state = {
    type: random.pick(STATE_TYPES),
    name: random.pick(NAMES),
    data: random.pick([null, null, { storage_key: 'k' }, { type: 'unpersisted' }]),
    state_details: {
      transition_id: random.pick([null, `t${random.below(3)}`]),
      pause_key: random.pick([null, '1']),
      pause_timeout: random.pick([null, history.now]),
      pause_reschedule: random.below(2) === 0,
      scheduled_time: random.pick([null, history.now, history.later(30)]),
    } satisfies Partial<State['state_details']>,
  }
  const command = { type: 'set-state', state, force } as const
  const answer = history.command(command)
  const taken = answer.kind === 'run' && answer.run.state_id === history.row?.state_id && answer.isNew
  if (taken && !force && history.state.state_details.transition_id === state.state_details.transition_id) {
    const events = history.events.length
    if (state.state_details.transition_id !== null) history.command(command)
    assert.equal(history.events.length, events, 'what was done by a transition id is not done again')
  }
  return { answer, forced: force }
}
