import type { Pool, PoolClient } from 'pg'
import { decodeRejection, type Entry, PERSISTER, recordsOf } from '#src/bus/index.ts'
import { DAYS_AHEAD, dayOf, makeDayPartitions } from '#src/store/day-partitions.ts'
import { type DeadLetter, INGEST, insertDeadLetters } from '#src/store/dead-letter.ts'
import { copyEntries, insertEntries } from '#src/store/event-log.ts'
import { lettersOf } from './careful.ts'
import type { GroupHandler } from './handler.ts'

export interface PersisterDeps {
  readonly pool: Pool
  readonly nowMs: () => number
  /** Days that ended longer ago are not made again: their events go to the default partition. */
  readonly retentionMs: number
}

/** Batches written the careful way after one that failed, before the fast way is tried again. */
const CAREFUL_BATCHES = 20

/**
 * The group that writes the log. The fast way is COPY straight into the table; it can't pass over an event that is there
 * already, so after a conflict this batch and some after it go through a temporary table, which can.
 */
export function createPersister({ pool, nowMs, retentionMs }: PersisterDeps): GroupHandler {
  const madeDays = new Set<number>()
  let careful = 0

  async function prepare(entries: readonly Entry[]): Promise<void> {
    const today = dayOf(nowMs())
    const oldest = dayOf(nowMs() - retentionMs) - 1
    const missing = new Set(
      entries
        .flatMap(({ days }) => days)
        .filter((day) => !madeDays.has(day) && day >= oldest && day <= today + DAYS_AHEAD),
    )
    if (missing.size === 0) return
    await makeDayPartitions(pool, missing)
    for (const day of missing) madeDays.add(day)
  }

  async function write(
    client: PoolClient,
    entries: readonly Entry[],
    events: (events: readonly Entry[]) => Promise<unknown>,
  ): Promise<readonly DeadLetter[]> {
    const [taken, rejected] = [
      entries.filter(({ kind }) => kind === 'events'),
      entries.filter(({ kind }) => kind === 'rejected'),
    ]
    if (taken.length > 0) await events(taken)
    if (rejected.length > 0) await insertDeadLetters(client, rejected.flatMap(rejectedLetters))
    return []
  }

  return {
    group: PERSISTER,
    order: 'loose', // the log keeps each event's position, so one that comes later finds its place
    idempotent: true, // its primary key passes over what is there
    prepare,
    apply(client, entries) {
      if (careful === 0) return write(client, entries, (events) => copyEntries(client, events))
      careful--
      return write(client, entries, (events) => insertEntries(client, events))
    },
    applyCarefully(client, entries) {
      careful = CAREFUL_BATCHES
      return write(client, entries, (events) => insertEntries(client, events))
    },
  }
}

function rejectedLetters(entry: Entry): DeadLetter[] {
  const records = [...recordsOf(entry)]
  return lettersOf(entry, INGEST, '').map((letter, i) => ({ ...letter, ...decodeRejection(records[i] as Buffer) }))
}
