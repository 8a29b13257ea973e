/** How a run is cancelled. */
import { STATE_TYPES } from '#src/events/state.ts'
import { PASS, type Rule } from './transition.ts'

/** Who is being cancelled ends up cancelled, and nowhere else. */
export const cancellingEndsCancelled: Rule = {
  from: ['CANCELLING'],
  to: STATE_TYPES.filter((type) => type !== 'CANCELLED'),
  rule: () => ({
    kind: 'reject',
    to: null,
    reason: 'Cannot transition flows that are cancelling to a state other than Cancelled.',
  }),
}

/** Where there is no process to end, a run is cancelled at once. It holds for forced changes, too. */
export const nothingToCancel: Rule = {
  from: ['SCHEDULED', 'PAUSED'],
  to: ['CANCELLING'],
  rule({ from, run }) {
    const cancelled = { type: 'CANCELLED' } as const
    if ((from.type === 'SCHEDULED' && !run.infrastructure_pid) || from.name === 'Resuming')
      return { kind: 'reject', to: cancelled, reason: 'Scheduled flow run has no infrastructure to terminate.' }
    if (from.type === 'PAUSED' && from.state_details.pause_reschedule)
      return { kind: 'reject', to: cancelled, reason: 'Suspended flow run has no infrastructure to terminate.' }
    return PASS
  },
}
