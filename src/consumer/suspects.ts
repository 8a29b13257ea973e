import type { PoolClient } from 'pg'
import { type Entry, formatEntryId, sliceEntry } from '#src/bus/index.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import type { DeadLetter } from '#src/store/dead-letter.ts'
import { clearSuspect, markSuspect, type SuspectPlace } from '#src/store/suspect.ts'
import { applyCarefully, type BlockedKeys, blame } from './careful.ts'
import { StaleOwner } from './commit-batch.ts'
import type { GroupHandler } from './handler.ts'

/** Redis has delivered it so often without an acknowledgement: perhaps it kills whoever applies it. */
export const SUSPECT_DELIVERIES = 4
/** An event that was being applied when the process died so often is set aside. */
const MOST_DEATHS = 3
/** Stands for the entry as a whole, where an event's index in it is noted. */
const WHOLE = -1

export interface SuspectEntry {
  readonly entry: Entry
  /** By the count of Redis, which survives every crash. */
  readonly deliveries: number
}

/** Applies entries that may kill the process. */
export interface Suspects {
  /**
   * Returns letters that say how often their event was delivered.
   * @param epoch under which the entry's partition is owned
   * @throws StaleOwner when that is over
   */
  apply(client: PoolClient, suspect: SuspectEntry, epoch: number, blocked: BlockedKeys): Promise<DeadLetter[]>
}

/**
 * Before a suspect is applied, that is noted in a transaction of its own, so that the note is there when the process
 * dies of it: first for the entry as a whole, and once that was deadly for each of its events. Deliveries alone are no
 * proof, since they also count when Postgres is away, and then a long backlog is suspect: two notes for an entry are
 * little, two for each event would not be.
 */
export function createSuspects(db: Queryable, handler: GroupHandler): Suspects {
  const failed = new Map<string, number>() // notes of this process, which lives, that it could not take back

  /** Runs an attempt under a note; null when it was deadly `most` times already. */
  async function attempt<T>(
    entry: Entry,
    epoch: number,
    index: number,
    most: number,
    run: () => Promise<T>,
  ): Promise<{ result: T } | { deaths: number }> {
    const place: SuspectPlace = {
      group: handler.group,
      partition: entry.partition,
      epoch,
      ms: entry.id.ms,
      seq: entry.id.seq,
      index,
    }
    const name = `${place.partition}:${formatEntryId(entry.id)}:${index}`
    const attempts = await markSuspect(db, place)
    if (attempts === null) throw new StaleOwner([entry.partition])
    const deaths = attempts - 1 - (failed.get(name) ?? 0)
    if (deaths >= most) {
      await clearSuspect(db, place, deaths) // this look was no attempt
      return { deaths }
    }
    try {
      const result = await run()
      await clearSuspect(db, place, deaths)
      return { result }
    } catch (error) {
      const takenBack = await clearSuspect(db, place, deaths).then(
        () => true,
        () => false,
      )
      if (!takenBack) failed.set(name, (failed.get(name) ?? 0) + 1)
      throw error
    }
  }

  async function applyEach(
    client: PoolClient,
    entry: Entry,
    epoch: number,
    blocked: BlockedKeys,
  ): Promise<DeadLetter[]> {
    const letters: DeadLetter[] = []
    for (let i = 0; i < entry.lengths.length; i++) {
      const single = sliceEntry(entry, i, i + 1)
      const tried = await attempt(entry, epoch, i, MOST_DEATHS, () =>
        applyCarefully(client, handler, [single], blocked),
      )
      if ('result' in tried) letters.push(...tried.result)
      else
        letters.push(
          ...blame(single, handler, `the process died ${tried.deaths} times while it applied this event`, blocked),
        )
    }
    return letters
  }

  return {
    async apply(client, { entry, deliveries }, epoch, blocked) {
      const tried = await attempt(entry, epoch, WHOLE, 1, () => applyCarefully(client, handler, [entry], blocked))
      const letters = 'result' in tried ? tried.result : await applyEach(client, entry, epoch, blocked)
      return letters.map((letter) => (letter.waits ? letter : { ...letter, attempts: deliveries }))
    },
  }
}
