/** Decides what commands do to a flow run. Pure: the run as it is and a command in, events and the answer out. */
import type { FlowRunPolicy, FlowRunRow } from '#src/events/flow-run.ts'
import { isTerminal, type State } from '#src/events/state.ts'
import type { Decision, DecisionContext } from '../decision.ts'
import { type ProposedState, stateOf } from '../state.ts'
import { enterState } from './bookkeeping.ts'
import { deleteEvent, type Surroundings, stateEvent, updateEvent } from './events.ts'
import { judge, type Verdict } from './rules.ts'
import type { Slot } from './transition.ts'

/** What a run is created with; the rest begins as nothing. */
export type NewFlowRun = Pick<FlowRunRow, 'id' | 'name' | 'flow_id' | 'flow_name'> &
  Partial<Omit<FlowRunRow, 'version' | 'created' | 'updated' | 'empirical_policy'>> & {
    readonly empirical_policy?: Partial<FlowRunPolicy>
  }

/** What may be changed of a run beside its state. Labels are added to those that it has. */
export type FlowRunUpdate = Partial<
  Pick<FlowRunRow, 'name' | 'flow_version' | 'parameters' | 'tags' | 'infrastructure_pid' | 'job_variables' | 'labels'>
> & { readonly empirical_policy?: Partial<FlowRunPolicy> }

export type FlowRunCommand =
  /** Does nothing when the run is there: it was created by the same key before. */
  | { readonly type: 'create'; readonly run: NewFlowRun; readonly state: ProposedState }
  | {
      readonly type: 'set-state'
      readonly state: ProposedState
      readonly force: boolean
      /** Does nothing when the run has left the state with this id: for services, which may be late. */
      readonly onlyFrom?: string | null
    }
  /** Lets a paused run go on; one that left its process goes on in another. */
  | { readonly type: 'resume' }
  | { readonly type: 'update'; readonly changes: FlowRunUpdate }
  /** @param unlessBegun leaves a run that somebody has taken, however short a while ago */
  | { readonly type: 'delete'; readonly unlessBegun?: boolean }
  /** Deletes a run that was over before an instant, and leaves one that has begun again. */
  | { readonly type: 'expire'; readonly endedBefore: string }

export type FlowRunAnswer =
  | { readonly kind: 'none' }
  /** The run as it is now, and whether this command made it, or a state of it. */
  | { readonly kind: 'run'; readonly run: FlowRunRow; readonly isNew: boolean; readonly verdict: Verdict | null }

export interface FlowRunContext extends DecisionContext {
  readonly around: Surroundings
  /** See `Transition`. */
  readonly slot?: Slot | null
}

const NO_RUN: Decision<FlowRunAnswer> = { events: [], answer: { kind: 'none' } }
const NO_POLICY: FlowRunPolicy = {
  max_retries: 0,
  retry_delay_seconds: 0,
  retries: null,
  retry_delay: null,
  pause_keys: [],
  resuming: false,
  retry_type: null,
}

/** `kind: 'none'` answers commands to a run that isn't there; and to the one that deleted it, with an event. */
export function decideFlowRun(
  run: FlowRunRow | null,
  command: FlowRunCommand,
  context: FlowRunContext,
): Decision<FlowRunAnswer> {
  if (command.type === 'create') return create(run, command, context)
  if (run === null) return NO_RUN
  if (command.type === 'set-state') {
    const { state, force, onlyFrom } = command
    if (onlyFrom !== undefined && run.state_id !== onlyFrom)
      return { events: [], answer: { kind: 'run', run, isNew: false, verdict: null } }
    return setState(run, state, force, context)
  }
  if (command.type === 'resume') return resume(run, context)
  if (command.type === 'update') return update(run, command.changes, context)
  const stays =
    command.type === 'expire' ? !endedBefore(run, command.endedBefore) : command.unlessBegun === true && hasBegun(run)
  if (stays) return { events: [], answer: { kind: 'run', run, isNew: false, verdict: null } }
  return { events: [deleteEvent(run, context.around, context)], answer: { kind: 'none' } }
}

/** As `deployment/runs.ts` asks the table. */
function hasBegun({ state_type, state_name, run_count }: FlowRunRow): boolean {
  return state_type !== 'SCHEDULED' || state_name === 'AwaitingConcurrencySlot' || run_count > 0
}

function endedBefore({ state, end_time }: FlowRunRow, instant: string): boolean {
  return isTerminal(state as State) && end_time !== null && end_time < instant
}

function create(
  existing: FlowRunRow | null,
  { run: wanted, state }: Extract<FlowRunCommand, { type: 'create' }>,
  context: FlowRunContext,
): Decision<FlowRunAnswer> {
  if (existing !== null) return { events: [], answer: { kind: 'run', run: existing, isNew: false, verdict: null } }
  const { now, around, lastVersion } = context
  const blank: FlowRunRow = {
    version: lastVersion + 1,
    created: now,
    updated: now,
    deployment_id: null,
    deployment_version: null,
    work_queue_id: null,
    work_queue_name: null,
    work_pool_id: null,
    work_pool_name: null,
    flow_version: null,
    parameters: {},
    idempotency_key: null,
    context: {},
    tags: [],
    parent_task_run_id: null,
    state: null,
    state_id: null,
    state_type: null,
    state_name: null,
    state_timestamp: null,
    run_count: 0,
    expected_start_time: null,
    next_scheduled_start_time: null,
    start_time: null,
    end_time: null,
    total_run_time: 0,
    auto_scheduled: false,
    infrastructure_document_id: null,
    infrastructure_pid: null,
    created_by: null,
    job_variables: {},
    ...wanted,
    labels: systemLabels(wanted),
    empirical_policy: { ...NO_POLICY, ...wanted.empirical_policy },
  }
  const run = enterState(blank, stateOf(state, context), blank.empirical_policy, false)
  return { events: [stateEvent(null, run, around)], answer: { kind: 'run', run, isNew: true, verdict: null } }
}

function setState(
  run: FlowRunRow,
  proposed: ProposedState,
  force: boolean,
  context: FlowRunContext,
): Decision<FlowRunAnswer> {
  const from = run.state as State
  const policy = run.empirical_policy
  const verdict = judge({ ...context, run, from, to: stateOf(proposed, context), policy }, force)
  if (verdict.to === null) return { events: [], answer: { kind: 'run', run, isNew: false, verdict } }
  const after = { ...enterState(run, verdict.to, verdict.policy, verdict.leavesPause), version: run.version + 1 }
  return {
    events: [stateEvent(run, after, context.around)],
    answer: { kind: 'run', run: after, isNew: true, verdict },
  }
}

function resume(run: FlowRunRow, context: FlowRunContext): Decision<FlowRunAnswer> {
  const from = run.state as State
  if (from.type !== 'PAUSED') {
    const ruling = { kind: 'abort', reason: 'Cannot resume a flow run that is not paused.' } as const
    const verdict: Verdict = { to: null, policy: run.empirical_policy, leavesPause: false, ruling }
    return { events: [], answer: { kind: 'run', run, isNew: false, verdict } }
  }
  const to: ProposedState = from.state_details.pause_reschedule
    ? { type: 'SCHEDULED', name: 'Resuming', state_details: { scheduled_time: context.now } }
    : { type: 'RUNNING' }
  return setState(run, to, false, context)
}

function update(run: FlowRunRow, changes: FlowRunUpdate, context: FlowRunContext): Decision<FlowRunAnswer> {
  const { empirical_policy, labels, ...others } = changes
  const after: FlowRunRow = {
    ...run,
    ...others,
    ...(labels !== undefined && { labels: { ...run.labels, ...labels } }),
    ...(empirical_policy !== undefined && { empirical_policy: { ...NO_POLICY, ...empirical_policy } }),
    version: run.version + 1,
    updated: context.now > run.updated ? context.now : run.updated,
  }
  return {
    events: [updateEvent(run, after, context.around, context)],
    answer: { kind: 'run', run: after, isNew: false, verdict: null },
  }
}

/** Those by which Prefect's own pages find runs come before those that the client gave. */
function systemLabels({ flow_id, deployment_id, labels }: NewFlowRun): FlowRunRow['labels'] {
  return { 'prefect.flow.id': flow_id, ...(deployment_id && { 'prefect.deployment.id': deployment_id }), ...labels }
}
