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
  for (let mayBeDone = false; ; ) {
    try {
      return await producer.appendExpecting(events, version)
    } catch (error) {
      mayBeDone ||= error instanceof BusUnavailable && error.mayBeDone
      if (!mayBeDone || nowMs() + ASK_AGAIN_MS >= until) throw error
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS))
    }
  }
}
