/** Commands to task runs. They are few: clients change their task runs by themselves, and only tell of it. */
import type { FlowRunRow } from '#src/events/flow-run.ts'
import { isTerminal, type State } from '#src/events/state.ts'
import type { TaskRunRow } from '#src/events/task-run.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import type { Store } from '#src/store/pool.ts'
import { sql } from '#src/store/sql.ts'
import { taskRunTable } from '#src/store/task-run.ts'
import type { Decision } from '../decision.ts'
import type { Executor } from '../execute.ts'
import { derivedId } from '../ids.ts'
import { inState } from '../run-times.ts'
import { type ProposedState, stateOf, withDetails } from '../state.ts'
import { decideTaskRun, type TaskRunAnswer } from './decide.ts'
import { deletedEvent, orderedBy, renamedEvent, resourceOf, taskRunEvent } from './events.ts'

/** Task runs that are deleted at once: their events are one entry of a stream. */
const PAGE = 200

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

/** The id of a task run of a flow run, unless its client gave it another one. */
export function taskRunIdOf(flowRunId: string, taskKey: string, dynamicKey: string): string {
  return derivedId('task-run', flowRunId, taskKey, dynamicKey)
}

/** All reject like `Executor.run`. Of two that decide on one run at once, on any servers, one decides again. */
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
  const flowRunOf = (id: string) => flowRunTable.find(store.queries, sql.fragment`t.id = ${id}`)
  const world = () => ({ now: now(), newId })

  /** Decides on a run that is there; `none` is the answer when it isn't. */
  function onRun<Answer>(id: string, none: Answer, decide: (run: TaskRunRow) => Promise<Decision<Answer>>) {
    return executor.decide<TaskRunRow, Answer>({
      resourceId: resourceOf(id),
      load: () => find(id),
      orderedBy: (run) => orderedBy(run ?? { id, flow_run_id: null }),
      decide: async (run) => (run === null ? { events: [], answer: none } : decide(run)),
    })
  }

  function create(made: NewTaskRun, proposed: ProposedState) {
    const { id, flow_run_id, task_key, dynamic_key } = made
    const keys = sql.fragment`t.flow_run_id = ${flow_run_id} and t.task_key = ${task_key} and t.dynamic_key = ${dynamic_key}`
    return executor.decide<TaskRunRow, { readonly run: TaskRunRow; readonly isNew: boolean }>({
      // Whatever id it is given: two must not make one task of a flow run at once.
      resourceId: resourceOf(flow_run_id === null ? id : taskRunIdOf(flow_run_id, task_key, dynamic_key)),
      load: () => (flow_run_id === null ? find(id) : taskRunTable.find(store.queries, keys)),
      orderedBy: () => orderedBy(made),
      async decide(there) {
        if (there !== null) return { events: [], answer: { run: there, isNew: false } }
        const run = begun(made, proposed)
        return { events: [taskRunEvent(null, run)], answer: { run, isNew: true } }
      },
    })
  }

  /** A run in its first state. */
  function begun(made: NewTaskRun, proposed: ProposedState): TaskRunRow {
    const at = now()
    const first = stateOf(proposed, { now: at, lastVersion: 0, newId })
    const state = withDetails(first, { task_run_id: made.id, flow_run_id: made.flow_run_id })
    const blank = { created: at, updated: at, state: null, state_id: '', state_type: state.type, state_name: '' }
    const times = { start_time: null, end_time: null, expected_start_time: null, next_scheduled_start_time: null }
    const counts = { state_timestamp: at, run_count: 0, flow_run_run_count: 0, total_run_time: 0 }
    return inState<TaskRunRow>({ ...made, ...blank, ...times, ...counts }, state)
  }

  function setState(id: string, proposed: ProposedState, force: boolean) {
    return onRun<(TaskRunAnswer & { isNew: boolean }) | null>(id, null, async (run) => {
      const flowRun = run.flow_run_id === null ? null : await flowRunOf(run.flow_run_id)
      const answer = decideTaskRun(run, proposed, force, { ...world(), flowRun })
      const isNew = answer.run !== run
      return { events: isNew ? [taskRunEvent(run, answer.run)] : [], answer: { ...answer, isNew } }
    })
  }

  function rename(id: string, name: string): Promise<boolean> {
    return onRun(id, false, async (run) => ({
      events: name === run.name ? [] : [renamedEvent(run, name, world())],
      answer: true,
    }))
  }

  function remove(id: string): Promise<boolean> {
    return onRun(id, false, async (run) => ({ events: [deletedEvent(run, world())], answer: true }))
  }

  function expire(id: string, endedBefore: string): Promise<boolean> {
    return onRun(id, false, async (run) => {
      const isOver = run.flow_run_id === null && isTerminal({ type: run.state_type })
      if (!isOver || run.end_time === null || run.end_time >= endedBefore) return { events: [], answer: false }
      // Should its client begin it again at this very moment, its next event makes the row anew.
      return { events: [deletedEvent(run, world())], answer: true }
    })
  }

  async function deleteOf(flowRunId: string): Promise<void> {
    for (;;) {
      const rest = sql.fragment`order by t.id limit ${PAGE}`
      const runs = await taskRunTable.select(store.queries, sql.fragment`t.flow_run_id = ${flowRunId}`, rest)
      const ids = runs.map(({ id }) => resourceOf(id))
      const events = runs.map((run) => deletedEvent(run, world()))
      if (runs.length > 0) await executor.override(ids, events)
      if (runs.length < PAGE) return
    }
  }

  async function mirror({ id, parent_task_run_id }: FlowRunRow): Promise<void> {
    if (parent_task_run_id === null) return
    await onRun<void>(parent_task_run_id, undefined, async (parent) => {
      // Read for each decision: of two that mirror at once, the one that decides later has the later state, or the same.
      const child = await flowRunOf(id)
      if (child === null || isMirrored(parent, child)) return { events: [], answer: undefined }
      const details = { flow_run_id: parent.flow_run_id, task_run_id: parent.id, child_flow_run_id: id }
      const state = child.state as State
      // The transition that it stands for is the one to that state of the child.
      const copied = { ...withDetails(state, { ...details, transition_id: state.id }), id: newId() }
      return { events: [taskRunEvent(parent, inState(parent, copied))], answer: undefined }
    })
  }

  return { create, setState, rename, delete: remove, expire, deleteOf, mirror }
}

function isMirrored(parent: TaskRunRow, { id, state_id }: FlowRunRow): boolean {
  const { child_flow_run_id, transition_id } = (parent.state as State).state_details
  return child_flow_run_id === id && transition_id === state_id
}
