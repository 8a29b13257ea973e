/**
 * A deployment may limit how many of its runs go at once. A run takes its slot when it becomes PENDING, before anything is
 * made ready for it, and has it until it is over. The slots themselves are taken in slots.ts.
 */
import { plusSeconds } from '../instants.ts'
import { withDetails } from '../state.ts'
import { PASS, type Rule } from './transition.ts'

/** Seconds after which a run that found no slot asks again, as on Prefect's server. */
const WAIT_SECONDS = 30
const FULL = 'Deployment concurrency limit reached.'

/** A run that finds no slot waits for one, or is cancelled, as its deployment wishes. */
export const takesSlot: Rule = {
  from: ['SCHEDULED', 'PAUSED', 'COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED'],
  to: ['PENDING'],
  rule({ slot, to, now }) {
    if (slot == null) return PASS
    if (slot.kind === 'held')
      return { kind: 'pass', to: withDetails(to, { deployment_concurrency_lease_id: slot.leaseId }) }
    if (slot.kind === 'no-deployment') return { kind: 'abort', reason: 'Deployment not found.' }
    if (slot.kind === 'never')
      return {
        kind: 'abort',
        reason: 'The deployment concurrency limit is 0. The flow will deadlock if submitted again.',
      }
    if (slot.strategy === 'CANCEL_NEW')
      return { kind: 'reject', to: { type: 'CANCELLED', message: FULL }, reason: FULL }
    const scheduled_time = plusSeconds(now, WAIT_SECONDS)
    return {
      kind: 'reject',
      to: { type: 'SCHEDULED', name: 'AwaitingConcurrencySlot', state_details: { scheduled_time } },
      reason: FULL,
    }
  },
}

/** A run whose lease ended while it was made ready goes on if there is a slot still, and can't wait for one any more. */
export const holdsSlot: Rule = {
  from: ['PENDING'],
  to: ['RUNNING'],
  rule({ slot, to }) {
    if (slot == null) return PASS
    if (slot.kind === 'held')
      return { kind: 'pass', to: withDetails(to, { deployment_concurrency_lease_id: slot.leaseId }) }
    return {
      kind: 'reject',
      to: {
        type: 'CANCELLED',
        message: 'Deployment concurrency slot lost during provisioning - no slots available to continue execution',
      },
      reason: 'Deployment concurrency limit reached after lease expiry.',
    }
  },
}

/** A run that is late because there is no slot waits for one, unless its deployment wishes none to wait. */
export const lateWithoutSlot: Rule = {
  from: ['SCHEDULED'],
  to: ['SCHEDULED'],
  rule({ slot, to }) {
    if (to.name !== 'Late' || slot?.kind !== 'full' || slot.strategy !== 'CANCEL_NEW') return PASS
    return {
      kind: 'reject',
      to: { type: 'CANCELLED', message: FULL },
      reason: 'Deployment concurrency limit is full and uses the CANCEL_NEW strategy.',
    }
  },
}
