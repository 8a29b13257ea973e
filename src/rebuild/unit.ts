/** One piece of a rebuild: some partitions folded in memory, and their rows written to the new tables at once. */
import type { Pool, PoolClient } from 'pg'
import type { Projection } from '#src/consumer/projection.ts'
import { RebuildRefused } from '#src/errors.ts'
import { copyLines } from '#src/store/copy-rows.ts'
import { insertDeadLetters } from '#src/store/dead-letter.ts'
import { noteFailed } from '#src/store/rebuild/job.ts'
import { newTable } from '#src/store/rebuild/tables.ts'
import { ALL_PARTITIONS, addUnit } from '#src/store/rebuild/unit.ts'
import { closeRows, columnsOf, type FailedEvent, foldStretch } from './fold-stretch.ts'
import type { FrozenRows } from './frozen-rows.ts'
import type { Held } from './held.ts'
import { hashBytes, sortedHashes } from './key-hashes.ts'
import type { LeftOut } from './letters.ts'
import { type Places, placesJson } from './places.ts'
import { eventsOf, type Reading } from './source.ts'
import { touchedIn, type UnitRows } from './unit-rows.ts'

/** The same for all pieces of a rebuild. */
export interface UnitNeeds {
  readonly pool: Pool
  readonly projections: readonly Projection[]
  readonly held: Pick<Held, 'job' | 'write' | 'signal'>
  readonly reading: Pick<Reading, 'names' | 'archive'>
  readonly through: Places
  readonly frozen: ReadonlyMap<string, FrozenRows>
  readonly leftOut: LeftOut['places']
  /** The code is another than that which made the live rows: what it fails on becomes a dead letter. */
  readonly filesLetters: boolean
  readonly onEvents: (count: number) => void
}

export interface UnitMade {
  readonly events: number
  readonly rows: number
  readonly failed: number
}

/** More of them than that are no bad events but bad code. */
export const MOST_FAILED = 10_000

/** Folds a piece and writes it, all or nothing. @throws RebuildRefused when too many events fail */
export async function makeUnit(needs: UnitNeeds, partitions: readonly number[]): Promise<UnitMade> {
  const { pool, projections, held, reading, through, frozen, leftOut, filesLetters, onEvents } = needs
  const failures: FailedEvent[] = []
  let failed = 0
  const columns = await columnsOf(pool, projections)
  const { rows, events } = await foldStretch({
    projections,
    columns,
    frozen,
    leftOut,
    waits: filesLetters,
    source: eventsOf(pool, { ...reading, partitions, through, after: null }),
    onFailure(failure) {
      const { projection, reason } = failure
      failed++
      if (failed > MOST_FAILED)
        throw new RebuildRefused(
          `${projection.name} fails on more than ${MOST_FAILED} events, the last time with «${reason}»: correct it first.`,
        )
      if (filesLetters) failures.push(failure)
    },
    onEvents,
    signal: held.signal,
  })
  const place = new Map(partitions.map((partition) => [partition, through.get(partition) ?? { ms: 0, seq: 0 }]))
  const write = async (client: PoolClient) => {
    let count = 0
    for (const projection of projections) {
      const made = rows.get(projection) as UnitRows
      await copyLines(client, newTable(projection.table), columns.get(projection) ?? [], made.lines())
      count += made.count
    }
    if (failures.length > 0) await fileLetters(client, held.job.id, failures)
    await addUnit(client, held.job.id, {
      partition: partitions.length === 1 ? (partitions[0] as number) : ALL_PARTITIONS,
      through: placesJson(place),
      events,
      rows: count,
      // There are no other pieces to have rows in common with where all partitions are in one.
      keys: partitions.length === 1 ? hashBytes(sortedHashes(touchedIn(rows.values()))) : Buffer.alloc(0),
    })
    await noteFailed(client, held.job.id, failed)
    return count
  }
  try {
    return { events, rows: await held.write(write), failed }
  } finally {
    closeRows(rows)
  }
}

/** How letters are made comes with the client of Redis: 10 MB of a thread, which seldom has any to file. */
async function fileLetters(client: PoolClient, rebuild: number, failures: readonly FailedEvent[]): Promise<void> {
  const { letterOf, waitingGroup } = await import('./letters.ts')
  const letters = failures.map(({ projection, event, reason }) => letterOf(projection, event, reason))
  await insertDeadLetters(
    client,
    letters.map(({ group, ...letter }) => ({ ...letter, group: waitingGroup(rebuild, group) })),
  )
}
