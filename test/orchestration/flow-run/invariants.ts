/** What holds of flow runs whatever was asked of them, said without the rules that make it so. */
import assert from 'node:assert/strict'
import type { Event } from '#src/events/event.ts'
import type { FlowRunRow } from '#src/events/flow-run.ts'
import { isTerminal, type State, type StateType } from '#src/events/state.ts'
import type { Slot } from '#src/orchestration/flow-run/transition.ts'
import type { History } from './history.ts'

const OVER = ['COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'] as const
/** Somebody is there who makes the lease longer. */
const WITH_PROCESS: readonly StateType[] = ['PENDING', 'RUNNING', 'CANCELLING']
/** Where a run may go from where it is, unless it is forced to. */
const NEXT: Readonly<Record<StateType, readonly StateType[]>> = {
  SCHEDULED: ['SCHEDULED', 'PENDING', 'RUNNING', 'CANCELLING', ...OVER],
  PENDING: ['SCHEDULED', 'PENDING', 'RUNNING', 'CANCELLING', ...OVER],
  RUNNING: ['SCHEDULED', 'RUNNING', 'PAUSED', 'CANCELLING', ...OVER],
  PAUSED: ['SCHEDULED', 'RUNNING', 'CANCELLING', ...OVER],
  CANCELLING: ['CANCELLED'],
  COMPLETED: ['SCHEDULED', 'PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'],
  FAILED: ['SCHEDULED', 'PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'],
  CRASHED: ['SCHEDULED', 'PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'],
  CANCELLED: ['SCHEDULED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'],
}

/** After a command that was not forced and changed the state. */
export function mayFollow(before: FlowRunRow, after: FlowRunRow, slot: Slot | null, at: string): void {
  const [from, to] = [before.state as State, after.state as State]
  if (from.id === to.id) return
  const step = `${at}: ${from.type} ${from.name} → ${to.type} ${to.name}`
  assert.ok(NEXT[from.type].includes(to.type), step)
  if (isTerminal(from)) {
    assert.ok(to.type !== 'SCHEDULED' || before.deployment_id !== null, `${step}: nobody would take it`)
    assert.ok(isTerminal(to) || from.type !== 'COMPLETED' || !isPersisted(from), `${step}: it has its result`)
  }
  if (from.type === 'PENDING' && to.type === 'PENDING') assert.notEqual(to.name, 'Pending', `${step}: taken twice`)
  if (to.type === 'PENDING' && from.type !== 'PENDING')
    assert.ok(slot === null || slot.kind === 'held', `${step}: no slot`)
  if (to.type === 'FAILED' && from.type === 'RUNNING')
    assert.ok(before.run_count > (before.empirical_policy.retries ?? 0), `${step}: it had another try`)
  const { scheduled_time: due } = from.state_details
  if (to.type === 'RUNNING' && due !== null && (from.type === 'SCHEDULED' || from.type === 'PENDING'))
    assert.ok(Date.parse(due) - Date.parse(to.timestamp) <= 500, `${step}: before its time`)
  if (to.name === 'Late' && to.type === 'SCHEDULED')
    assert.ok(from.type === 'SCHEDULED' && from.name !== 'Late', `${step}: late once`)
  if (to.type === 'PAUSED' && to.state_details.pause_reschedule)
    assert.ok(before.deployment_id !== null && before.parent_task_run_id === null, `${step}: nobody would resume it`)
}

/** After every command. */
export function holds(before: FlowRunRow, after: FlowRunRow | null, events: readonly Event[], at: string): void {
  assert.ok(events.length <= 1, `${at}: a command makes one event at most`)
  if (after === null) return
  const [event] = events
  const [from, to] = [before.state as State, after.state as State]
  assert.equal(after.version, before.version + events.length, `${at}: each event is counted`)
  if (event === undefined) assert.equal(after, before, `${at}: without an event nothing changes`)
  if (from.id !== to.id) {
    assert.ok(to.timestamp > from.timestamp, `${at}: states come one after another`)
    assert.deepEqual([event?.id, event?.occurred], [to.id, to.timestamp], `${at}: the event is that of the state`)
    const isTight = Date.parse(to.timestamp) - Date.parse(from.timestamp) < 300_000
    assert.equal(event?.follows, isTight ? from.id : null, `${at}: what is close together says what it follows`)
  }
  assert.ok(after.updated >= before.updated, `${at}: it was updated no earlier`)
  if (after.run_count > before.run_count) assert.equal(to.type, 'RUNNING', `${at}: it counts runs, nothing else`)
  assert.equal(
    after.next_scheduled_start_time !== null,
    to.type === 'SCHEDULED',
    `${at}: it is due when it is scheduled`,
  )
  assert.deepEqual(
    [after.state_id, after.state_type, after.state_name, after.state_timestamp, to.state_details.flow_run_id],
    [to.id, to.type, to.name, to.timestamp, after.id],
    `${at}: the parts of its state agree with it`,
  )
  assert.equal(new Set(after.empirical_policy.pause_keys).size, after.empirical_policy.pause_keys.length, at)
  const lost = from.type === 'COMPLETED' && isPersisted(from) && to.type === 'COMPLETED' && !isPersisted(to)
  assert.ok(!lost, `${at}: a result was lost`)
}

/** After every command: who has a slot keeps the lease on it for as long as it has a process, or the slot is lost to all. */
export function keepsLease(before: FlowRunRow, after: FlowRunRow, slot: Slot | null, at: string): void {
  const [from, to] = [before.state as State, after.state as State]
  const lease = from.state_details.deployment_concurrency_lease_id
  const goesOn = WITH_PROCESS.includes(to.type) || to.name === 'AwaitingRetry'
  if (from.id === to.id || lease === null || !WITH_PROCESS.includes(from.type) || !goesOn) return
  const kept = to.state_details.deployment_concurrency_lease_id
  const isNew = slot?.kind === 'held' && slot.leaseId === kept
  assert.ok(kept === lease || isNew, `${at}: ${from.type} → ${to.type} lost its lease`)
}

/** Counts and times of every row are those that its states before it give. */
export function agreesWithHistory({ rows }: History, at: string): void {
  let states: State[] = []
  for (const [i, row] of rows.entries()) {
    if (row === null) {
      states = []
      continue
    }
    const state = row.state as State
    if (state.id !== states.at(-1)?.id) states.push(state)
    const step = `${at}, event ${i}`
    const firstAt = (which: (state: State) => boolean, of = states) => of.find(which)?.timestamp ?? null
    const isOver = (state: State) => isTerminal(state)
    assert.equal(
      row.start_time,
      firstAt((state) => state.type === 'RUNNING' || isOver(state)),
      `${step}: when it began`,
    )
    const ending = states.slice(states.findLastIndex((state) => !isOver(state)) + 1)
    assert.equal(row.end_time, firstAt(isOver, ending), `${step}: when it was over, since it was last under way`)
    const ran = states.reduce(
      (sum, { type, timestamp }, n) => sum + (type === 'RUNNING' ? until(states[n + 1], timestamp) : 0),
      0,
    )
    assert.ok(Math.abs(row.total_run_time - ran) < 1e-5 * states.length, `${step}: ${row.total_run_time} s, not ${ran}`)
    const runs = states.filter(({ type }) => type === 'RUNNING').length
    const resumed = states.filter(({ type }, n) => type === 'PAUSED' && n < states.length - 1).length
    assert.ok(row.run_count <= runs && row.run_count >= runs - resumed, `${step}: ${row.run_count} of ${runs} runs`)
  }
}

/** Seconds, to the microsecond. */
function until(next: State | undefined, timestamp: string): number {
  return next === undefined ? 0 : seconds(next.timestamp) - seconds(timestamp)
}

function seconds(timestamp: string): number {
  return (
    Date.parse(`${timestamp.slice(0, 19)}Z`) / 1_000 -
    Date.parse('2026-11-24T00:00:00Z') / 1_000 +
    Number(`0${timestamp.slice(19, -1)}`)
  )
}

function isPersisted({ data }: State): boolean {
  return data !== null && (data as { type?: string }).type !== 'unpersisted'
}
