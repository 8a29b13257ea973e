/**
 * What becomes of a state that is proposed for a task run: those rules of Prefect's server (`CoreTaskPolicy`) that its
 * clients still meet. Results that were cached, and slots of tags, are the client's own affair.
 */
import type { FlowRunRow } from '#src/events/flow-run.ts'
import { isTerminal, type State } from '#src/events/state.ts'
import type { TaskRunRow } from '#src/events/task-run.ts'
import { plusSeconds, secondsBetween } from '../instants.ts'
import { inState } from '../run-times.ts'
import { hasPersistedResult, type ProposedState, stateOf, withDetails } from '../state.ts'

/** A ruling as for flow runs; `to` is what is done instead. */
export type TaskRuling =
  | { readonly kind: 'pass' }
  | { readonly kind: 'reject'; readonly reason: string }
  | { readonly kind: 'wait'; readonly seconds: number; readonly reason: string }
  | { readonly kind: 'abort'; readonly reason: string }

export interface TaskRunContext {
  readonly now: string
  newId(): string
  /** The flow run that it belongs to; null for none. */
  readonly flowRun: Pick<FlowRunRow, 'id' | 'state' | 'run_count'> | null
}

/** The run as it is then, the same one when nothing changes; and how the client is told. */
export interface TaskRunAnswer {
  readonly run: TaskRunRow
  readonly ruling: TaskRuling
}

const NOT_RUNNING = 'The enclosing flow must be running to begin task execution.'

/** @param force nothing is refused */
export function decideTaskRun(
  run: TaskRunRow,
  proposed: ProposedState,
  force: boolean,
  context: TaskRunContext,
): TaskRunAnswer {
  const from = run.state as State
  let to = stateOf(proposed, { ...context, lastVersion: 0 })
  const refuse = (ruling: TaskRuling): TaskRunAnswer => ({ run, ruling })
  const enter = (state: State, ruling: TaskRuling = { kind: 'pass' }, base = run): TaskRunAnswer => {
    const entered = inState(base, withDetails(state, { task_run_id: run.id, flow_run_id: run.flow_run_id }))
    const attempt = state.type === 'RUNNING' ? context.flowRun?.run_count : undefined
    return { run: { ...entered, flow_run_run_count: attempt ?? run.flow_run_run_count }, ruling }
  }
  if (force) return enter(to)

  if (isTerminal(from)) {
    if (to.type === 'CANCELLING' || to.type === 'PAUSED' || to.type === 'CRASHED')
      return refuse({ kind: 'abort', reason: `Run is already ${from.type}.` })
    if (from.type === 'COMPLETED' && hasPersistedResult(from))
      return refuse({ kind: 'reject', reason: 'This run is already completed.' })
  }
  const count = isTerminal(from) && !isTerminal(to) ? 0 : run.run_count // who begins anew has all its retries
  if (to.type === 'RUNNING') {
    const flowState = (context.flowRun?.state ?? null) as State | null
    if (flowState?.type === 'PAUSED') return enter(pausedWith(flowState, context), pausedRuling(context))
    if (context.flowRun !== null && flowState?.type !== 'RUNNING') return refuse({ kind: 'abort', reason: NOT_RUNNING })
    const early = secondsUntilDue(from, context.now)
    if (early > 0) return refuse({ kind: 'wait', seconds: early, reason: 'Scheduled time is in the future' })
    to = { ...to, name: nameOfRerun(run, from, to, count, context) }
  }
  if (from.type === 'SCHEDULED' && to.type === 'PENDING' && to.state_details.scheduled_time === null)
    to = withDetails(to, { scheduled_time: from.state_details.scheduled_time })
  if (from.type === 'RUNNING' && to.type === 'FAILED') {
    const delay = retryDelay(run, to)
    if (delay !== null) {
      const retry = { type: 'SCHEDULED', name: 'AwaitingRetry', message: to.message, data: to.data } as const
      const at = { scheduled_time: plusSeconds(context.now, delay) }
      const awaiting = stateOf({ ...retry, state_details: at }, { ...context, lastVersion: 0 })
      return enter(awaiting, { kind: 'reject', reason: 'Retrying' })
    }
  }
  return enter(to, { kind: 'pass' }, { ...run, run_count: count })
}

function secondsUntilDue({ type, state_details: { scheduled_time } }: State, now: string): number {
  if ((type !== 'SCHEDULED' && type !== 'PENDING') || scheduled_time === null) return 0
  return Math.round(secondsBetween(now, scheduled_time))
}

function pausedWith({ state_details }: State, context: TaskRunContext): State {
  const { pause_timeout, pause_reschedule } = state_details
  const paused = { type: 'PAUSED', name: 'NotReady', state_details: { pause_timeout, pause_reschedule } } as const
  return stateOf(paused, { ...context, lastVersion: 0 })
}

function pausedRuling({ flowRun }: TaskRunContext): TaskRuling {
  return {
    kind: 'reject',
    reason: `The flow is paused, new tasks can execute after resuming flow run: ${flowRun?.id}.`,
  }
}

function nameOfRerun(run: TaskRunRow, from: State, to: State, count: number, { flowRun }: TaskRunContext): string {
  if (isTerminal(from) && flowRun !== null && run.flow_run_run_count < flowRun.run_count) return 'Retrying'
  if (count === 0) return to.name
  return from.name === 'AwaitingRetry' ? 'Retrying' : 'Rerunning'
}

/** Seconds until the next attempt; null when there is none. */
function retryDelay(run: TaskRunRow, { state_details }: State): number | null {
  const { retries = null, retry_delay = null } = run.empirical_policy as {
    readonly retries?: number | null
    readonly retry_delay?: number | readonly number[] | null
  }
  if (state_details.retriable === false || retries === null || run.run_count > retries) return null
  if (typeof retry_delay === 'number') return retry_delay
  return retry_delay?.[Math.min(run.run_count, retry_delay.length) - 1] ?? 0
}
