import { idAfter, PERSISTER, type RolledBack } from '#src/bus/index.ts'
import type { Log } from '#src/log.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import { countPersisted, insertLosses, isTold, type Loss } from '#src/store/loss.ts'

/** By then the persister has looked at what is left, and has said what it sees; and what it had in hand is committed. */
const AFTER_MS = 3_000

/**
 * Takes down what an API server had answered for and Redis has no longer, for the persister: where nothing of it was applied
 * yet, the groups can't see that anything is gone.
 */
export function createLossWitness(
  db: Queryable,
  log: Log,
  onRecorded: (losses: readonly Loss[]) => void,
): (lost: RolledBack) => void {
  async function takeDown({ partition, fromExclusive, toInclusive, events }: RolledBack): Promise<void> {
    const place = { group: PERSISTER, partition, first: idAfter(fromExclusive), last: toInclusive }
    if (await isTold(db, place)) return
    const lost = events - (await countPersisted(db, place))
    if (lost <= 0) return
    const detail = 'Redis had taken more events than it has now'
    const recorded = await insertLosses(db, [{ ...place, entries: null, events: lost, cause: 'rolled_back', detail }])
    for (const loss of recorded) log.error({ loss }, 'Redis lost events that it had taken and that were not persisted')
    onRecorded(recorded)
  }

  return (lost) => {
    setTimeout(() => {
      takeDown(lost).catch((error: Error) =>
        log.error({ lost, reason: error.message }, 'what Redis lost could not be taken down in the ledger'),
      )
    }, AFTER_MS).unref()
  }
}
