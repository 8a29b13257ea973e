import type { Pool } from 'pg'
import type { BusLoss, EntryId } from '#src/bus/index.ts'
import type { Log } from '#src/log.ts'
import { insertLosses, type Loss, type LossCause } from '#src/store/loss.ts'

/** What a consumer found to be gone. */
export interface FoundLoss extends Omit<BusLoss, 'cause'> {
  readonly cause: LossCause
  /** How many entries and events, where that is known. */
  readonly entries?: number
  readonly events?: number
}

/** Takes losses down at once and writes them to Postgres when it can: Redis tells of a loss only once. */
export interface LossLedger {
  add(loss: FoundLoss): void
  /** Writes what is not written yet; called now and then. @throws when Postgres does not take it; nothing is forgotten */
  flush(): Promise<void>
}

/** Bounded: after so many the log alone tells. */
const MOST_WAITING = 10_000

/** @param onRecorded told of losses that were not known before */
export function createLossLedger(pool: Pool, log: Log, onRecorded: (losses: readonly Loss[]) => void): LossLedger {
  let waiting: Loss[] = []
  return {
    add(found) {
      const { group, partition, cause, detail, entries = null, events = null } = found
      const first = idAfter(found.fromExclusive)
      const loss = { group, partition, first, last: found.toInclusive ?? first, entries, events, cause, detail }
      log.error({ loss }, 'Redis lost entries of a stream; what was persisted is in the log, the rest is gone')
      if (waiting.length < MOST_WAITING) waiting.push(loss)
    },
    async flush() {
      if (waiting.length === 0) return
      const writing = waiting
      const recorded = await insertLosses(pool, writing)
      waiting = waiting.slice(writing.length)
      if (recorded.length > 0) onRecorded(recorded)
    },
  }
}

function idAfter({ ms, seq }: EntryId): EntryId {
  return { ms, seq: seq + 1 }
}
