/** Commands to task runs. They are few: clients change their task runs by themselves, and only tell of it. */
import type { FlowRunRow } from '#src/events/flow-run.ts'
import { isTerminal, type State } from '#src/events/state.ts'
import type { TaskRunRow } from '#src/events/task-run.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import type { Store } from '#src/store/pool.ts'
import { sql } from '#src/store/sql.ts'
import { taskRunTable } from '#src/store/task-run.ts'
import { taskRunStateTable } from '#src/store/task-run-state.ts'
import type { Executor } from '../execute.ts'
import { derivedId } from '../ids.ts'
import { inState } from '../run-times.ts'
import { type ProposedState, stateOf, withDetails } from '../state.ts'
import { decideTaskRun, type TaskRunAnswer } from './decide.ts'
import { deletedEvent, renamedEvent, taskRunEvent } from './events.ts'

/** Task runs that are deleted at once. */
const PAGE = 500

/** What a task run is made of, beside its state and all that follows from that. */
export type NewTaskRun = Omit<
  TaskRunRow,
  | 'created'
  | 'updated'
  | `state${string}`
  | 'run_count'
  | 'flow_run_run_count'
  | 'total_run_time'
  | `${string}start_time`
  | 'end_time'
>

/** All reject like `Executor.record`. */
export interface TaskRunCommands {
  /** Does nothing when there is one with the same id, or with the same keys in the same flow run. */
  create(run: NewTaskRun, state: ProposedState): Promise<{ readonly run: TaskRunRow; readonly isNew: boolean }>
  /** Null when there is no such task run. */
  setState(id: string, state: ProposedState, force: boolean): Promise<(TaskRunAnswer & { isNew: boolean }) | null>
  /** False when there is no such task run. */
  rename(id: string, name: string): Promise<boolean>
  delete(id: string): Promise<boolean>
  /** Deletes a task run of no flow run that ended before an instant, and has not begun again. False for any other. */
  expire(id: string, endedBefore: string): Promise<boolean>
  /** Deletes all task runs of a flow run. */
  deleteOf(flowRunId: string): Promise<void>
  /**
   * Gives the task run that stands for a nested flow the state that the flow's run has by now. Done twice, it is done once;
   * done by several at the same moment, the last state is the last one here as well.
   */
  mirror(child: FlowRunRow): Promise<void>
}

interface Needs {
  readonly executor: Executor
  readonly store: Pick<Store, 'queries'>
  readonly now: () => string
  readonly newId: () => string
}

export function createTaskRunCommands({ executor, store, now, newId }: Needs): TaskRunCommands {
  const find = (id: string) => taskRunTable.find(store.queries, sql.fragment`t.id = ${id}`)

  async function create(made: NewTaskRun, proposed: ProposedState) {
    const { id, flow_run_id, task_key, dynamic_key } = made
    const keys = sql.fragment`t.flow_run_id = ${flow_run_id} and t.task_key = ${task_key} and t.dynamic_key = ${dynamic_key}`
    const stored = () => (flow_run_id === null ? find(id) : taskRunTable.find(store.queries, keys))
    const there = await stored()
    if (there !== null) return { run: there, isNew: false }
    const first = await begin(made, proposed, derivedId('task-run-state', id))
    if (first.isNew) return first
    const run = await stored()
    // Made before, and deleted since: it begins anew, under an id that nobody has seen.
    return run === null ? begin(made, proposed, newId()) : { run, isNew: false }
  }

  /** A run in its first state; another one may have sent that already. */
  async function begin(made: NewTaskRun, proposed: ProposedState, stateId: string) {
    const at = now()
    const first = stateOf(proposed, { now: at, lastVersion: 0, newId: () => stateId })
    const state = withDetails(first, { task_run_id: made.id, flow_run_id: made.flow_run_id })
    const blank = { created: at, updated: at, state: null, state_id: '', state_type: state.type, state_name: '' }
    const times = { start_time: null, end_time: null, expected_start_time: null, next_scheduled_start_time: null }
    const counts = { state_timestamp: at, run_count: 0, flow_run_run_count: 0, total_run_time: 0 }
    const run = inState<TaskRunRow>({ ...made, ...blank, ...times, ...counts }, state)
    return { run, isNew: await tell(null, run) }
  }

  /** Waits until the state is known, also when another one was faster to tell of it. */
  function tell(before: TaskRunRow | null, after: TaskRunRow): Promise<boolean> {
    const isState = sql.fragment`t.id = ${after.state_id}`
    const isKnown = async () => (await taskRunStateTable.find(store.queries, isState)) !== null
    return executor.record([taskRunEvent(before, after)], isKnown)
  }

  async function setState(id: string, proposed: ProposedState, force: boolean) {
    const run = await find(id)
    if (run === null) return null
    const of = run.flow_run_id
    const flowRun = of === null ? null : await flowRunTable.find(store.queries, sql.fragment`t.id = ${of}`)
    const answer = decideTaskRun(run, proposed, force, { now: now(), newId, flowRun })
    const isNew = answer.run !== run
    if (isNew) await executor.record([taskRunEvent(run, answer.run)])
    return { ...answer, isNew }
  }

  async function rename(id: string, name: string): Promise<boolean> {
    const run = await find(id)
    if (run === null) return false
    if (name !== run.name) await executor.record([renamedEvent(run, name, { now: now(), newId })])
    return true
  }

  async function remove(id: string): Promise<boolean> {
    const run = await find(id)
    if (run !== null) await executor.record([deletedEvent(run, { now: now(), newId })])
    return run !== null
  }

  async function expire(id: string, endedBefore: string): Promise<boolean> {
    const run = await find(id)
    if (run === null || run.flow_run_id !== null || !isTerminal({ type: run.state_type })) return false
    if (run.end_time === null || run.end_time >= endedBefore) return false
    // Should its client begin it again at this very moment, its next event makes the row anew.
    await executor.record([deletedEvent(run, { now: now(), newId })])
    return true
  }

  async function deleteOf(flowRunId: string): Promise<void> {
    for (;;) {
      const rest = sql.fragment`order by t.id limit ${PAGE}`
      const runs = await taskRunTable.select(store.queries, sql.fragment`t.flow_run_id = ${flowRunId}`, rest)
      if (runs.length > 0) await executor.record(runs.map((run) => deletedEvent(run, { now: now(), newId })))
      if (runs.length < PAGE) return
    }
  }

  async function mirror({ id, parent_task_run_id }: FlowRunRow): Promise<void> {
    if (parent_task_run_id === null) return
    for (;;) {
      // The child last: of two that are at it, the one whose event is the later has not read an older state, or looks again.
      const parent = await find(parent_task_run_id)
      const child = await flowRunTable.find(store.queries, sql.fragment`t.id = ${id}`)
      if (parent === null || child === null || isMirrored(parent, child)) return
      const details = { flow_run_id: parent.flow_run_id, task_run_id: parent.id, child_flow_run_id: id }
      const state = child.state as State
      // The transition that it stands for is the one to that state of the child.
      const copied = { ...withDetails(state, { ...details, transition_id: state.id }), id: mirrorId(state, parent) }
      await tell(parent, inState(parent, copied))
    }
  }

  return { create, setState, rename, delete: remove, expire, deleteOf, mirror }
}

function isMirrored(parent: TaskRunRow, { id, state_id }: FlowRunRow): boolean {
  const { child_flow_run_id, transition_id } = (parent.state as State).state_details
  return child_flow_run_id === id && transition_id === state_id
}

/** Of both, so that a state that was overtaken by an older one can be mirrored once more. */
function mirrorId(state: State, parent: TaskRunRow): string {
  return derivedId('mirrored-state', state.id, parent.state_id)
}
