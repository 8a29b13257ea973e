import type { BusLoss, EntryId } from '#src/bus/index.ts'
import type { Log } from '#src/log.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import { insertLosses, type Loss, type LossCause } from '#src/store/loss.ts'

/** What a consumer found to be gone. */
export interface FoundLoss extends Omit<BusLoss, 'cause'> {
  readonly cause: LossCause
  /** How many entries and events, where that is known. */
  readonly entries?: number
  readonly events?: number
}

/** Takes losses down, and writes them to Postgres before what shows them is gone from Redis. */
export interface LossLedger {
  /** To be followed by `flush`, before anything is acknowledged or changed in Redis: it tells of a loss only once. */
  add(loss: FoundLoss): void
  /** Resolves when all that was added is in Postgres. @throws when Postgres does not take it; nothing is forgotten */
  flush(): Promise<void>
  /** Losses that Postgres has not taken yet. */
  readonly waiting: number
}

/** Bounded: after so many the log alone tells. */
const MOST_WAITING = 10_000

/** @param onRecorded told of losses that were not known before */
export function createLossLedger(db: Queryable, log: Log, onRecorded: (losses: readonly Loss[]) => void): LossLedger {
  let waiting: Loss[] = []
  let flushing: Promise<void> = Promise.resolve()

  async function write(): Promise<void> {
    if (waiting.length === 0) return
    const writing = waiting
    const recorded = await insertLosses(db, writing)
    waiting = waiting.slice(writing.length)
    for (const loss of recorded)
      log.error({ loss }, 'Redis lost entries of a stream; what was persisted is in the log, the rest is gone')
    if (recorded.length > 0) onRecorded(recorded)
  }

  return {
    add(found) {
      const { group, partition, cause, detail, entries = null, events = null } = found
      const first = idAfter(found.fromExclusive)
      const loss = { group, partition, first, last: found.toInclusive ?? first, entries, events, cause, detail }
      if (waiting.length < MOST_WAITING) waiting = [...waiting, loss]
      else log.error({ loss }, 'Redis lost entries of a stream, and there is no room to keep this for the ledger')
    },
    get waiting() {
      return waiting.length
    },
    flush() {
      flushing = flushing.then(write, write) // one at a time: each takes off what it has written
      return flushing
    },
  }
}

function idAfter({ ms, seq }: EntryId): EntryId {
  return { ms, seq: seq + 1 }
}
