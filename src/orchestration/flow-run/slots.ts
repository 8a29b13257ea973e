/** Takes, keeps and gives back the slot that a run's deployment asks of it. */
import type { FlowRunRow } from '#src/events/flow-run.ts'
import type { State, StateType } from '#src/events/state.ts'
import { concurrencyLimitTable } from '#src/store/concurrency-limit.ts'
import { deploymentTable } from '#src/store/deployment.ts'
import type { Store } from '#src/store/pool.ts'
import { sql } from '#src/store/sql.ts'
import { endLease, holdOne } from '../concurrency/commands.ts'
import type { Records } from '../stored-record.ts'
import type { FlowRunAnswer, FlowRunCommand } from './decide.ts'
import type { Slot } from './transition.ts'

export interface DeploymentSlots {
  /** The slot for a command to this run; null when it needs none. A lease of its own is made longer. */
  prepare(run: FlowRunRow, command: FlowRunCommand): Promise<Slot | null>
  /** Gives back what the run holds no more, and what was taken for nothing. */
  settle(before: FlowRunRow, slot: Slot | null, answer: FlowRunAnswer): Promise<void>
}

/** Seconds that a lease lasts until the run's own process makes it longer, unless the deployment says otherwise. */
const LEASE_SECONDS = 300
/** Runs in such states hold their slots. */
const HOLDING: ReadonlySet<StateType> = new Set(['PENDING', 'RUNNING', 'CANCELLING'])

interface Needs {
  readonly commands: Records
  readonly queries: Store['queries']
  readonly newId: () => string
}

export function createDeploymentSlots({ commands, queries, newId }: Needs): DeploymentSlots {
  async function prepare(run: FlowRunRow, command: FlowRunCommand): Promise<Slot | null> {
    if (command.type !== 'set-state' || command.force || run.deployment_id === null) return null
    const { type } = command.state
    const held = leaseOf(run)
    const takes = type === 'PENDING' && run.state_type !== null && !HOLDING.has(run.state_type)
    const keeps = type === 'RUNNING' && run.state_type === 'PENDING' && held !== null
    if (!takes && !keeps) return null
    const deployment = await deploymentTable.find(queries, sql.fragment`t.id = ${run.deployment_id}`)
    if (deployment === null || deployment.concurrency_limit_id === null) return null
    const { collision_strategy, grace_period_seconds } = (deployment.concurrency_options ?? {}) as Options
    const lease = {
      id: takes ? newId() : (held as string),
      seconds: grace_period_seconds ?? LEASE_SECONDS,
      holder: { type: 'flow_run', id: run.id },
    }
    const outcome = await holdOne({ commands }, deployment.concurrency_limit_id, { slots: 1, lease })
    if (outcome === 'free') return null
    if (outcome === 'held') return { kind: 'held', leaseId: lease.id }
    return outcome === 'never' ? { kind: 'never' } : { kind: 'full', strategy: collision_strategy ?? 'ENQUEUE' }
  }

  async function settle(before: FlowRunRow, slot: Slot | null, answer: FlowRunAnswer): Promise<void> {
    const after = answer.kind === 'run' ? answer.run : null
    const held = leaseOf(before)
    const taken = slot?.kind === 'held' ? slot.leaseId : null
    if (taken !== null && taken !== held && (after === null || leaseOf(after) !== taken)) await giveBack(taken)
    if (held !== null && (after === null || (isOver(before, after) && !triesAgain(after, answer)))) await giveBack(held)
  }

  async function giveBack(leaseId: string): Promise<void> {
    const which = sql.fragment`t.lease_ids @> ${sql.array([leaseId], 'text')}`
    for (const { id } of await concurrencyLimitTable.select(queries, which)) await endLease({ commands }, id, leaseId)
  }

  return { prepare, settle }
}

interface Options {
  readonly collision_strategy?: 'ENQUEUE' | 'CANCEL_NEW'
  readonly grace_period_seconds?: number | null
}

function leaseOf({ state }: FlowRunRow): string | null {
  return (state as State | null)?.state_details.deployment_concurrency_lease_id ?? null
}

function isOver(before: FlowRunRow, after: FlowRunRow): boolean {
  const { state_type: from } = before
  const { state_type: to } = after
  return from !== null && HOLDING.has(from) && to !== null && !HOLDING.has(to)
}

/** A run that retries by itself keeps its slot: its process goes on and makes the lease longer. */
function triesAgain({ state_name }: FlowRunRow, answer: FlowRunAnswer): boolean {
  return state_name === 'AwaitingRetry' && answer.kind === 'run' && answer.verdict?.ruling.kind === 'reject'
}
