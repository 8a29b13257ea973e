import { setTimeout as sleep } from 'node:timers/promises'
import { BusUnavailable, Overloaded, StoreUnavailable } from '#src/errors.ts'

const FIRST_WAIT_MS = 50
const LONGEST_WAIT_MS = 1_000

/** Whether the same may succeed later: a server is away, or there is too much of it just now. */
export function isPassing(error: unknown): boolean {
  return error instanceof BusUnavailable || error instanceof StoreUnavailable || error instanceof Overloaded
}

/**
 * Tries again, at growing intervals, while what fails may pass.
 * @param withinMs how long; then the last error is thrown. Errors that won't pass are thrown at once
 * @param onFailure called before each wait; may throw, to give up
 */
export async function throughOutage<T>(
  attempt: () => Promise<T>,
  withinMs: number,
  onFailure: () => void = () => {},
): Promise<T> {
  const untilMs = performance.now() + withinMs
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2)) {
    try {
      return await attempt()
    } catch (error) {
      const leftMs = untilMs - performance.now()
      if (!isPassing(error) || leftMs <= 0) throw error
      onFailure()
      // Sockets that failed together should not come back together.
      await sleep(Math.min(leftMs, waitMs * (0.5 + Math.random())))
    }
  }
}
