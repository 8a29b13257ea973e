/** How a run gets from being scheduled to running: taken by one process alone, and not before its time. */
import { secondsBetween } from '../instants.ts'
import { withDetails } from '../state.ts'
import { PASS, type Rule } from './transition.ts'

/**
 * A run is taken by whoever makes it PENDING first; everybody else is told to leave it. Who has it may say how far it has
 * come by names such as `Submitting`.
 */
export const takenOnce: Rule = {
  from: ['PENDING', 'CANCELLING', 'RUNNING', 'CANCELLED'],
  to: ['PENDING'],
  rule({ from, to }) {
    if (from.type !== 'PENDING' || from.name === to.name || to.name === 'Pending') {
      const reason = `This run is in a ${from.type} state and cannot transition to a PENDING state.`
      return { kind: 'abort', reason }
    }
    const { scheduled_time, deployment_concurrency_lease_id } = from.state_details
    return { kind: 'pass', to: withDetails(to, { scheduled_time, deployment_concurrency_lease_id }) }
  },
}

/** Late is what waits and should not wait any more; a run becomes it once. */
export const lateOnce: Rule = {
  from: 'any',
  to: ['SCHEDULED'],
  rule({ from, to }) {
    if (to.name !== 'Late') return PASS
    if (from.type !== 'SCHEDULED')
      return { kind: 'reject', to: null, reason: 'Only scheduled flows can be marked late.' }
    if (from.name === 'Late') return { kind: 'reject', to: null, reason: 'This flow run is already marked late.' }
    return PASS
  },
}

/** What was scheduled for a time is pending for that time. */
export const copyScheduledTime: Rule = {
  from: ['SCHEDULED'],
  to: ['PENDING'],
  rule({ from, to }) {
    if (to.state_details.scheduled_time !== null) return PASS
    return { kind: 'pass', to: withDetails(to, { scheduled_time: from.state_details.scheduled_time }) }
  },
}

/** Nothing runs before its time. */
export const notBeforeItsTime: Rule = {
  from: ['SCHEDULED', 'PENDING'],
  to: ['RUNNING'],
  rule({ from, now }) {
    const { scheduled_time: scheduled } = from.state_details
    if (scheduled === null) return PASS
    const seconds = Math.round(secondsBetween(now, scheduled))
    return seconds > 0 ? { kind: 'wait', seconds, reason: 'Scheduled time is in the future' } : PASS
  },
}
