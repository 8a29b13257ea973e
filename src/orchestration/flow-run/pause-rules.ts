/** How a run pauses, in its process or by leaving it (then it is suspended), and how it goes on. */
import { isTerminal } from '#src/events/state.ts'
import type { Rule } from './transition.ts'

/** Only what runs can pause; and none does so twice for one key. */
export const pausing: Rule = {
  from: 'any',
  to: ['PAUSED'],
  rule({ from, to, run, policy, newId }) {
    const verb = to.name === 'Suspended' ? 'suspend' : 'pause'
    if (from.type !== 'RUNNING')
      return { kind: 'reject', to: null, reason: `Cannot ${verb} flows that are not currently running.` }
    const key = to.state_details.pause_key ?? newId()
    if (policy.pause_keys.includes(key)) return { kind: 'reject', to: null, reason: `This ${verb} has already fired.` }
    if (to.state_details.pause_reschedule) {
      if (run.parent_task_run_id !== null) return { kind: 'abort', reason: `Cannot ${verb} subflows.` }
      if (run.deployment_id === null) return { kind: 'abort', reason: `Cannot ${verb} flows without a deployment.` }
    }
    return { kind: 'pass', policy: { ...policy, pause_keys: [...policy.pause_keys, key] } }
  },
}

/** A paused run goes on, is cancelled or ends; it fails when that comes after its time is over. */
export const leavingPause: Rule = {
  from: ['PAUSED'],
  to: 'any',
  rule({ from, to, run, policy, now }) {
    const mayFollow = ['RUNNING', 'SCHEDULED', 'CANCELLING'].includes(to.type) || isTerminal(to)
    if (!mayFollow) {
      const reason = `This run cannot transition to the ${to.type} state from the ${from.type} state.`
      return { kind: 'reject', to: null, reason }
    }
    const name = to.name.toLowerCase()
    if (from.state_details.pause_reschedule && run.deployment_id === null)
      return { kind: 'reject', to: null, reason: `Cannot reschedule a ${name} flow run without a deployment.` }
    const left = { kind: 'pass', leavesPause: true } as const
    // A pause in the process leaves somebody there who must hear of the cancellation, however late it is.
    if (to.type === 'CANCELLING') return left
    const { pause_timeout: timeout } = from.state_details
    if (timeout === null || timeout >= now) {
      // Somebody paused in a process that is no more, and begins anew: with all its pauses.
      const anew = to.type === 'SCHEDULED' && !from.state_details.pause_reschedule
      return anew
        ? { kind: 'pass', policy: { ...policy, pause_keys: [], resuming: false, retry_type: 'reschedule' } }
        : left
    }
    return {
      kind: 'reject',
      to: { type: 'FAILED', message: `The flow was ${name} and never resumed.` },
      reason: `The flow run ${to.name === 'Suspended' ? 'suspend' : 'pause'} has timed out and can no longer resume.`,
      leavesPause: true,
    }
  },
}
