/** After an outage of Postgres those who have ticks in hand renew their leases before anybody takes one over. */
import type { Pool } from 'pg'

export interface Patience {
  /** For how long nobody's tick is to be taken over; 0 or less when it may be. */
  leftMs(): number
  /** Watches how a question to Postgres goes. Null when there was an outage: its answer is from before, or of a time at which nobody could renew. */
  asking<T>(answer: Promise<T>): Promise<T | null>
}

/** Postgres is asked so long whether it is there, and is taken for away for others too when it takes longer over a look. */
const ANSWERS_WITHIN_MS = 1_000

export function createPatience(leaseMs: number): Patience {
  let untilMs = 0
  /** As the last look found it; one that took long may have begun before an outage. */
  let postgres: 'there' | 'slow' | 'away' = 'there'
  return {
    leftMs: () => untilMs - performance.now(),
    async asking(answer) {
      const beganMs = performance.now()
      const found = await answer.catch((error: Error) => {
        postgres = 'away'
        throw error
      })
      const before = postgres
      postgres = performance.now() - beganMs < ANSWERS_WITHIN_MS ? 'there' : 'slow'
      // Once for an outage: where Postgres is slow all the time somebody has to go on.
      if (before !== 'away' && (before !== 'there' || postgres !== 'slow')) return found
      untilMs = performance.now() + leaseMs
      return null
    },
  }
}

/** Whether Postgres answers now. */
export function isThere(pool: Pool): Promise<boolean> {
  const answer = pool.query('select').then(...([() => true, () => false] as const))
  const silence = new Promise<boolean>((resolve) => setTimeout(resolve, ANSWERS_WITHIN_MS, false).unref())
  return Promise.race([answer, silence])
}
