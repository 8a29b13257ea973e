import type { FlowRunPolicy, FlowRunRow } from '#src/events/flow-run.ts'
import { isTerminal, type State } from '#src/events/state.ts'
import { inState } from '../run-times.ts'
import { withDetails } from '../state.ts'

/** The run with a new state, and all that follows from it. */
export function enterState(run: FlowRunRow, proposed: State, policy: FlowRunPolicy, leavesPause: boolean): FlowRunRow {
  const parent = run.parent_task_run_id !== null && { task_run_id: run.parent_task_run_id }
  const state = withDetails(proposed, { flow_run_id: run.id, ...parent })
  const resumes = policy.resuming === true
  const goesOn = resumes && state.type !== 'RUNNING' && !isTerminal(state)
  return {
    ...inState(run, state, !resumes),
    empirical_policy: { ...policy, resuming: leavesPause || goesOn },
  }
}
