/** Postgres' clock, as far as this process can tell without asking: what it said last, and the monotonic time since. */
import type { Pool } from 'pg'

export interface DatabaseClock {
  /** Takes note of what Postgres said just now. */
  hear(nowMs: number): void
  /** Asks when it was not heard for some seconds. @throws when Postgres does not answer */
  now(): Promise<number>
  /** Without asking; null when it was never heard. */
  estimate(): number | null
}

/** A monotonic clock may stand still while its machine is suspended. */
const HEARD_WITHIN_MS = 5_000

export function createDatabaseClock(pool: Pool): DatabaseClock {
  let heard: { readonly nowMs: number; readonly atMs: number } | null = null
  const hear = (nowMs: number) => {
    heard = { nowMs, atMs: performance.now() }
  }
  const estimate = () => (heard === null ? null : heard.nowMs + performance.now() - heard.atMs)
  return {
    hear,
    estimate,
    async now() {
      if (heard === null || performance.now() - heard.atMs > HEARD_WITHIN_MS) {
        const { rows } = await pool.query<{ now: Date }>('select clock_timestamp() as now')
        hear((rows[0] as { now: Date }).now.getTime())
      }
      return estimate() as number
    },
  }
}
