import type { AppendResult, ExpectedVersion, Producer, VersionConflict } from '#src/bus/index.ts'
import type { EncodedEvent } from '#src/events/encode.ts'
import { BusUnavailable } from '../errors.ts'

const ASK_AGAIN_MS = 250

/**
 * Appends what was decided, and asks again while it isn't known whether that was done: slots without a lease that are taken
 * and not told would be taken for ever.
 * @param until epoch ms at which to give up
 * @throws BusUnavailable
 */
export async function appendSurely(
  producer: Pick<Producer, 'appendExpecting'>,
  events: readonly EncodedEvent[],
  version: ExpectedVersion,
  { until, nowMs }: { readonly until: number; readonly nowMs: () => number },
): Promise<AppendResult | VersionConflict> {
  for (let doubt: BusUnavailable | null = null; ; ) {
    try {
      const appended = await producer.appendExpecting(events, version)
      // Ids are known by partition: once these were changed nobody can tell, and deciding anew could do it twice.
      if (doubt !== null && 'actual' in appended && appended.actual === null) return Promise.reject(doubt)
      return appended
    } catch (error) {
      if (error instanceof BusUnavailable && error.mayBeDone) doubt = error
      if (doubt === null || nowMs() + ASK_AGAIN_MS >= until) throw error
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS))
    }
  }
}
