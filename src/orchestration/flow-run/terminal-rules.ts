/** What a run that is over may still do. */
import type { FlowRunPolicy } from '#src/events/flow-run.ts'
import { isTerminal, TERMINAL_TYPES } from '#src/events/state.ts'
import { hasPersistedResult } from '../state.ts'
import { PASS, type Rule, type Ruling, type Transition } from './transition.ts'

const TERMINAL = [...TERMINAL_TYPES]

/** Rules for leaving a terminal state. Who leaves one for another try begins anew with its pauses. */
export const leavingTerminal: Rule = {
  from: TERMINAL,
  to: 'any',
  rule(transition) {
    const { from, to, run, policy } = transition
    if (to.type === 'CANCELLING' || to.type === 'PAUSED' || to.type === 'CRASHED')
      return { kind: 'abort', reason: `Run is already in terminal state ${from.type}.` }
    if (from.type === 'COMPLETED' && !isTerminal(to) && hasPersistedResult(from))
      return { kind: 'reject', to: null, reason: 'Run is already COMPLETED.' }
    const kept = keepResult(transition)
    if (kept.kind !== 'pass') return kept
    if (to.type === 'SCHEDULED' && run.deployment_id === null)
      return { kind: 'abort', reason: 'Cannot reschedule a run without an associated deployment.' }
    if (isTerminal(to)) return PASS
    const retry: FlowRunPolicy['retry_type'] = to.type === 'SCHEDULED' ? 'reschedule' : null
    return { kind: 'pass', policy: { ...policy, resuming: false, pause_keys: [], retry_type: retry } }
  },
}

/** No result is lost by completing a run once more. It holds for forced changes, too. */
export const keepsResult: Rule = { from: ['COMPLETED'], to: ['COMPLETED'], rule: keepResult }

function keepResult({ from, to }: Transition): Ruling {
  if (from.type !== 'COMPLETED' || to.type !== 'COMPLETED' || !hasPersistedResult(from) || hasPersistedResult(to))
    return PASS
  const reason = 'Cannot overwrite a COMPLETED state that carries persisted result data with one that does not.'
  return { kind: 'reject', to: null, reason }
}
