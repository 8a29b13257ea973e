/** A run has parts, and one that fails keeps no other from its turn. */
import type { PruneStep } from './steps.ts'

/** What failed in a run, and how to go on. */
export interface Parts {
  /** Does a part. What it throws is told, and `otherwise` is returned; but not when the run is over anyway. */
  try<T>(what: string, otherwise: T, work: () => Promise<T>): Promise<T>
  /** Tells of what failed without ending anything. */
  fail(what: string, reason: string): void
  /** How many failed. */
  failed(): number
}

export function createParts(signal: AbortSignal, onStep: ((step: PruneStep) => void) | undefined): Parts {
  let failed = 0
  const fail = (what: string, reason: string) => {
    failed++
    onStep?.({ step: 'failed', what, reason })
  }
  return {
    fail,
    async try(what, otherwise, work) {
      try {
        return await work()
      } catch (error) {
        if (signal.aborted) throw error
        fail(what, (error as Error).message)
        return otherwise
      }
    },
    failed: () => failed,
  }
}
