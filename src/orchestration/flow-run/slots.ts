/** Takes, keeps and gives back the slot that a run's deployment asks of it. */
import type { ConcurrencyLimitRow } from '#src/events/concurrency-limit.ts'
import type { FlowRunRow } from '#src/events/flow-run.ts'
import type { State, StateType } from '#src/events/state.ts'
import { concurrencyLimitTable } from '#src/store/concurrency-limit.ts'
import { deploymentTable } from '#src/store/deployment.ts'
import { sql } from '#src/store/sql.ts'
import { holdOne } from '../concurrency/commands.ts'
import { releaseLeased } from '../concurrency/leases.ts'
import type { SlotNeeds } from '../concurrency/limits.ts'
import { activeSlots } from '../concurrency/slots.ts'
import { renewWithoutLimit } from '../concurrency/without-limit.ts'
import { derivedId } from '../ids.ts'
import type { FlowRunAnswer, FlowRunCommand } from './decide.ts'
import type { Slot } from './transition.ts'

/** The slot for one command to a run, however often that is decided. */
export interface CommandSlot {
  /** The slot for the run as it is; null when it needs none. A lease of its own is made longer. */
  prepare(run: FlowRunRow): Promise<Slot | null>
  /** Gives back what the run holds no more, and what was taken for nothing. */
  settle(before: FlowRunRow, answer: FlowRunAnswer): Promise<void>
}

/** Seconds that a lease lasts until the run's own process makes it longer, unless the deployment says otherwise. */
const LEASE_SECONDS = 300
/** Runs in such states hold their slots. */
const HOLDING: ReadonlySet<StateType> = new Set(['PENDING', 'RUNNING', 'CANCELLING'])

interface Needs extends SlotNeeds {
  readonly newId: () => string
  readonly now: () => string
}

export function commandSlot(needs: Needs, runId: string, command: FlowRunCommand): CommandSlot {
  const { store, newId, now } = needs
  let asked: { readonly stateId: string | null; readonly slot: Slot | null } | null = null
  let own: string | null = null
  let taken: string | null = null

  async function prepare(run: FlowRunRow): Promise<Slot | null> {
    if (asked === null || asked.stateId !== run.state_id) asked = { stateId: run.state_id, slot: await ask(run) }
    return asked.slot
  }

  async function ask(run: FlowRunRow): Promise<Slot | null> {
    const wish = command.type === 'set-state' && !command.force ? wishOf(run, command.state) : null
    if (wish === null || run.deployment_id === null) return null
    const deployment = await deploymentTable.find(store.queries, sql.fragment`t.id = ${run.deployment_id}`)
    if (deployment === null) return wish === 'take' ? { kind: 'no-deployment' } : null
    const { concurrency_limit_id: limitId } = deployment
    if (limitId === null) return null
    const options = (deployment.concurrency_options ?? {}) as Options
    const full: Slot = { kind: 'full', strategy: options.collision_strategy ?? 'ENQUEUE' }
    if (wish === 'look') {
      const limit = await concurrencyLimitTable.find(store.queries, sql.fragment`t.id = ${limitId}`)
      return limit !== null && isFull(limit) ? full : null
    }
    const lease = {
      id: wish === 'take' ? ownLease() : (leaseOf(run) as string),
      seconds: options.grace_period_seconds ?? LEASE_SECONDS,
      holder: { type: 'flow_run', id: run.id },
    }
    const outcome = await holdOne(needs, limitId, { slots: 1, lease })
    if (wish === 'take' && outcome === 'held') taken = lease.id
    if (outcome === 'held') return { kind: 'held', leaseId: lease.id }
    if (outcome === 'free') return null
    // It has its slot of a limit that the deployment had before.
    if (wish === 'keep' && (await renewWithoutLimit(needs, lease.id))) return { kind: 'held', leaseId: lease.id }
    return outcome === 'never' ? { kind: 'never' } : full
  }

  /** The lease to take: the same each time, so that a client that got no answer and asks again takes no second slot. */
  function ownLease(): string {
    const transition = command.type === 'set-state' ? (command.state.state_details?.transition_id ?? null) : null
    own ??= transition === null ? newId() : derivedId('deployment-lease', runId, transition)
    return own
  }

  async function settle(before: FlowRunRow, answer: FlowRunAnswer): Promise<void> {
    const after = answer.kind === 'run' ? answer.run : null
    const held = leaseOf(before)
    if (taken !== null && (after === null || leaseOf(after) !== taken)) await releaseLeased(needs, taken)
    if (held === null || held === taken) return
    if (after === null || (isOver(before, after) && !triesAgain(after, answer))) await releaseLeased(needs, held)
  }

  function isFull(limit: ConcurrencyLimitRow): boolean {
    return limit.active && activeSlots(limit, now()) >= limit.slot_limit
  }

  return { prepare, settle }
}

interface Options {
  readonly collision_strategy?: 'ENQUEUE' | 'CANCEL_NEW'
  readonly grace_period_seconds?: number | null
}

/** What a run that wishes for a state has to do with slots. */
function wishOf(
  run: FlowRunRow,
  { type, name }: Extract<FlowRunCommand, { type: 'set-state' }>['state'],
): 'take' | 'keep' | 'look' | null {
  const { state_type: from } = run
  if (type === 'PENDING' && from !== null && !HOLDING.has(from)) return 'take'
  if (type === 'RUNNING' && from === 'PENDING' && leaseOf(run) !== null) return 'keep'
  return type === 'SCHEDULED' && name === 'Late' && from === 'SCHEDULED' ? 'look' : null
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
