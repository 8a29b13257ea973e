import type { Pool } from 'pg'
import { type BusLoss, comparePositions, idAfter } from '#src/bus/index.ts'
import type { Log } from '#src/log.ts'
import { passOver, type Standing } from '#src/store/checkpoint.ts'
import { insertLosses, type Loss, type LossCause } from '#src/store/loss.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { StaleOwner } from './commit-batch.ts'
import type { GroupHandler } from './handler.ts'

/** What a consumer found to be gone. */
export interface FoundLoss extends Omit<BusLoss, 'cause'> {
  readonly cause: LossCause
  /** How many entries and events, where that is known. */
  readonly entries?: number
  readonly events?: number
}

/** Takes losses down, and writes them to Postgres before what shows them is gone from Redis. */
export interface LossLedger {
  /**
   * To be followed by `flush`, before anything is acknowledged or changed in Redis: it tells of a loss only once.
   * @param epoch under which the partition was owned when this was found
   */
  add(loss: FoundLoss, epoch: number): void
  /**
   * Resolves when all that was added is in Postgres, and the checkpoints have passed over it: what others have of it is
   * looked for up to there.
   * @throws StaleOwner when a partition has another owner by now: what was found there is forgotten, since it may be the
   * other one's doing. When Postgres does not take it, nothing is forgotten
   */
  flush(): Promise<void>
  /** Losses that Postgres has not taken yet. */
  readonly waiting: number
}

/** Bounded: after so many the log alone tells. */
const MOST_WAITING = 10_000

export interface LossLedgerDeps {
  readonly pool: Pool
  /** Most milliseconds for one statement. */
  readonly timeoutMs: number
  readonly handler: Pick<GroupHandler, 'group' | 'onLoss'>
  readonly log: Log
  /** Told of losses that were not known before. */
  readonly onRecorded: (losses: readonly Loss[]) => void
}

interface Waiting {
  readonly loss: Loss
  readonly standing: Standing
}

export function createLossLedger({ pool, timeoutMs, handler, log, onRecorded }: LossLedgerDeps): LossLedger {
  let waiting: readonly Waiting[] = []
  let flushing: Promise<void> = Promise.resolve()

  async function write(): Promise<void> {
    if (waiting.length === 0) return
    const writing = new Set(waiting)
    // Not those that were added meanwhile: they may be of the next owner.
    const forget = (which: (loss: Loss) => boolean) => {
      waiting = waiting.filter((each) => !writing.has(each) || !which(each.loss))
    }
    // The last one of a partition stands behind those before it.
    const standings = new Map(waiting.map(({ standing }) => [standing.partition, standing]))
    const losses = waiting.map(({ loss }) => loss)
    const recorded = await inTransaction(pool, timeoutMs, async (client) => {
      await handler.onLoss?.(client, [...standings.keys()])
      const stale = await passOver(client, handler.group, [...standings.values()])
      if (stale.length > 0) throw new StaleOwner(stale)
      return insertLosses(client, losses)
    }).catch((error) => {
      if (error instanceof StaleOwner) forget(({ partition }) => error.partitions.includes(partition))
      throw error
    })
    forget(() => true)
    for (const loss of recorded)
      log.error({ loss }, 'Redis lost entries of a stream; what was persisted is in the log, the rest is gone')
    if (recorded.length > 0) onRecorded(recorded)
  }

  return {
    add(found, epoch) {
      const { group, partition, cause, detail, entries = null, events = null } = found
      const { standing: position, nextNumber: eventCount } = found
      const standing = { partition, epoch, position, eventCount }
      const first = idAfter(found.fromExclusive)
      const loss = { group, partition, first, last: found.toInclusive ?? first, entries, events, cause, detail }
      // Found again while Postgres did not take it: the same loss, which has its end where it was looked at.
      waiting = waiting.filter(
        (each) => each.loss.partition !== partition || comparePositions(each.loss.first, first) !== 0,
      )
      if (waiting.length < MOST_WAITING) waiting = [...waiting, { loss, standing }]
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
