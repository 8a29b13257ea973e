import type { Pool, PoolClient } from 'pg'
import { type Entry, sliceEntry } from '#src/bus/index.ts'
import type { DeadLetter } from '#src/store/dead-letter.ts'
import { clearSuspect, markSuspect } from '#src/store/suspect.ts'
import { applyCarefully, type BlockedKeys, blame } from './careful.ts'
import type { GroupHandler } from './handler.ts'

/** Redis has delivered it so often without an acknowledgement: perhaps it kills whoever applies it. */
export const SUSPECT_DELIVERIES = 4
/** An event that was being applied when the process died so often is set aside. */
const MOST_DEATHS = 3

/**
 * Applies a suspect entry event by event, and notes before each one, in a transaction of its own, that it is being tried:
 * when the process dies now, the note says by which event. Deliveries alone are no proof, since they also count when
 * Postgres is away.
 */
export async function applySuspect(
  client: PoolClient,
  pool: Pool,
  handler: GroupHandler,
  entry: Entry,
  blocked: BlockedKeys,
): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = []
  for (let i = 0; i < entry.lengths.length; i++) {
    const single = sliceEntry(entry, i, i + 1)
    const place = { group: handler.group, partition: entry.partition, ms: entry.id.ms, seq: entry.id.seq, index: i }
    const deaths = (await markSuspect(pool, place)) - 1
    if (deaths >= MOST_DEATHS)
      letters.push(...blame(single, handler, `the process died ${deaths} times while it applied this event`, blocked))
    else letters.push(...(await applyCarefully(client, handler, [single], blocked)))
    await clearSuspect(pool, place, deaths >= MOST_DEATHS ? deaths : 0)
  }
  return letters
}
