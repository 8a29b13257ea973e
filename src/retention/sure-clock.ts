import type { RetentionContext } from './context.ts'

/** More than clocks that are kept right differ by. */
const WORTH_SAYING_MS = 60_000

/**
 * What leaves is gone for good, so one clock that is ahead must not decide it: the time is this machine's or that of
 * Postgres, whichever is behind. It goes on evenly, whatever becomes of the clocks.
 */
export async function withSureClock<T extends RetentionContext>(context: T): Promise<T> {
  const { pool, nowMs, log } = context
  const { rows } = await pool.query<{ ms: number }>('select extract(epoch from clock_timestamp())::float8 * 1000 as ms')
  const began = performance.now()
  const [here, there] = [nowMs(), rows[0]?.ms ?? Number.NaN]
  if (Math.abs(here - there) > WORTH_SAYING_MS)
    log.warn(
      { aheadMs: Math.round(here - there) },
      "this machine's clock and that of Postgres differ: retention takes the time of the one that is behind",
    )
  const from = Math.min(here, there)
  return { ...context, nowMs: () => Math.floor(from + performance.now() - began) }
}
