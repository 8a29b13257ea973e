import { plusSeconds } from '../instants.ts'
import type { Rule } from './transition.ts'

/** A run that failed is tried again, in its own process, as often as its flow says. */
export const retryFailed: Rule = {
  from: ['RUNNING'],
  to: ['FAILED'],
  rule({ from, to, run, policy, now }) {
    const { retries, retry_delay } = policy
    if (retries === null || run.run_count > retries) return { kind: 'pass', policy: { ...policy, retry_type: null } }
    return {
      kind: 'reject',
      reason: 'Retrying',
      to: {
        type: 'SCHEDULED',
        name: 'AwaitingRetry',
        message: to.message,
        data: to.data,
        state_details: {
          scheduled_time: plusSeconds(now, retry_delay ?? 0),
          // The process lives on and renews its lease.
          deployment_concurrency_lease_id: from.state_details.deployment_concurrency_lease_id,
        },
      },
      policy: { ...policy, resuming: false, pause_keys: [], retry_type: 'in_process' },
    }
  },
}
