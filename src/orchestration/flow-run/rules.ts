/**
 * The rules by which the state of a flow run changes: those of Prefect 3's server, in its order (`CoreFlowPolicy`,
 * `MarkLateRunsPolicy` and `MinimalFlowPolicy` in its `orchestration/core_policy.py`).
 */
import type { State } from '#src/events/state.ts'
import { stateOf, withDetails } from '../state.ts'
import { cancellingEndsCancelled, nothingToCancel } from './cancel-rules.ts'
import { leavingPause, pausing } from './pause-rules.ts'
import { retryFailed } from './retry-rule.ts'
import { holdsSlot, lateWithoutSlot, takesSlot } from './slot-rules.ts'
import { copyScheduledTime, lateOnce, notBeforeItsTime, takenOnce } from './start-rules.ts'
import { keepsResult, leavingTerminal } from './terminal-rules.ts'
import { concerns, PASS, type Rule, type Ruling, type Transition } from './transition.ts'

/** A lease on a deployment's slot stays with the run, though workers send null for it. It holds for forced changes, too. */
const keepLease: Rule = {
  from: 'any',
  to: 'any',
  rule({ from, to }) {
    const { deployment_concurrency_lease_id: lease } = from.state_details
    if (lease === null || to.state_details.deployment_concurrency_lease_id !== null) return PASS
    return { kind: 'pass', to: withDetails(to, { deployment_concurrency_lease_id: lease }) }
  },
}

/** A client that got no answer asks again: it made this very change already. */
const onlyOnce: Rule = {
  from: 'any',
  to: 'any',
  rule({ from, to }) {
    const { transition_id: id } = to.state_details
    if (id === null || id !== from.state_details.transition_id) return PASS
    return { kind: 'reject', to: null, reason: 'This run has already made this state transition.' }
  },
}

const ALL: readonly Rule[] = [
  keepLease,
  onlyOnce,
  leavingTerminal,
  cancellingEndsCancelled,
  nothingToCancel,
  takenOnce,
  takesSlot,
  holdsSlot,
  lateOnce,
  lateWithoutSlot,
  pausing,
  leavingPause,
  copyScheduledTime,
  notBeforeItsTime,
  retryFailed,
]
const FORCED: readonly Rule[] = [keepLease, keepsResult, nothingToCancel]

/** What the rules make of a transition: what is to be done, null for nothing; and how the client is told. */
export interface Verdict {
  readonly to: State | null
  readonly policy: Transition['policy']
  /** The run leaves a pause, which its policy will say from then on. */
  readonly leavesPause: boolean
  readonly ruling: Ruling
}

/** Asks the rules in their order; the first that doesn't let it pass has the last word. */
export function judge(proposed: Transition, force: boolean): Verdict {
  let transition = proposed
  let leavesPause = false
  for (const rule of force ? FORCED : ALL) {
    if (!concerns(rule, transition)) continue
    const ruling = rule.rule(transition)
    if ('leavesPause' in ruling) leavesPause = ruling.leavesPause === true
    if (ruling.kind === 'pass') {
      transition = { ...transition, to: ruling.to ?? transition.to, policy: ruling.policy ?? transition.policy }
      continue
    }
    const to = ruling.kind === 'reject' && ruling.to !== null ? stateOf(ruling.to, proposed) : null
    const policy = ruling.kind === 'reject' && ruling.policy !== undefined ? ruling.policy : proposed.policy
    return { to, policy, leavesPause, ruling }
  }
  return { to: transition.to, policy: transition.policy, leavesPause, ruling: PASS }
}
