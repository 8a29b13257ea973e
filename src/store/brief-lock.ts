/** Strong locks on the log, waited for so briefly that nobody who queues behind the wait notices. */
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * `lock_timeout` of transactions that lock the log: everybody who wants to use it queues behind a wait for such a lock.
 * Ingest commits within milliseconds, so the first attempts nearly always succeed.
 */
export const LOCK_MS = 40
/** Bounds all that is done under such a lock, in one statement, the wait for it included. */
export const EXCHANGE_MS = 80
const LEAST_PAUSE_MS = 20
const MOST_PAUSE_MS = 500
/** Somebody has the lock (55P03), holds what we need and needs what we hold (40P01), or it took too long (57014). */
const BUSY = new Set(['55P03', '40P01', '57014'])

/** Whether an error says that others were in the way. */
export function isBusy(error: unknown): boolean {
  return BUSY.has((error as { code?: string }).code ?? '')
}

export interface Patience {
  /** How long it is tried again; default for ever. */
  readonly withinMs?: number
  readonly signal?: AbortSignal | undefined
  /** What is worth another attempt; default `isBusy`. */
  readonly isPassing?: (error: unknown) => boolean
  /** Called for each attempt that was in vain. */
  readonly onBusy?: (attempts: number) => Promise<void>
}

/**
 * Calls until a call is not in anybody's way, with growing pauses in which everybody is let through.
 * @throws the last error when the time is over or the signal is aborted
 */
export async function untilLocked<T>(
  attempt: (attempts: number) => Promise<T>,
  { withinMs = Infinity, signal, isPassing = isBusy, onBusy }: Patience = {},
): Promise<T> {
  const deadline = performance.now() + withinMs
  for (let attempts = 1; ; attempts++) {
    try {
      return await attempt(attempts)
    } catch (error) {
      if (!isPassing(error) || performance.now() > deadline || signal?.aborted) throw error
    }
    await onBusy?.(attempts)
    const pauseMs = LEAST_PAUSE_MS + Math.random() * Math.min(MOST_PAUSE_MS, LEAST_PAUSE_MS * 2 ** attempts)
    await sleep(pauseMs, undefined, { signal }).catch(() => {})
  }
}
