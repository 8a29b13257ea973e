import { setTimeout as sleep } from 'node:timers/promises'

/** Readers of a table whose name changes wait for at most so long, and those behind them. */
export const TABLE_MS = 50
const LOCK_NOT_AVAILABLE = '55P03'
const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 2_000

/** Tries until no lock was in the way: everybody is let through between two attempts. */
export async function untilFree<T>(signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    signal.throwIfAborted()
    try {
      return await attempt()
    } catch (error) {
      if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE) throw error
    }
    await sleep(pauseMs, undefined, { signal })
  }
}
