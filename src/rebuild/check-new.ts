/**
 * Whether new tables are what they should be, before they take the place of the live ones. Made by the code that made the live
 * ones, they are compared with these, at one place; where they differ, or there is nothing to compare with, the log is folded
 * once more, by a way of its own. Both in a bounded time, so of what is larger only a share.
 */
import type { PoolClient } from 'pg'
import type { Projection } from '#src/consumer/projection.ts'
import { readStanding } from '#src/store/projection-gate.ts'
import { type Compared, compareTables } from '#src/store/rebuild/compare.ts'
import { areLive } from '#src/store/rebuild/due.ts'
import { keepRebuild } from '#src/store/rebuild/job.ts'
import { copyShare, dropTables, newTable, wasTable } from '#src/store/rebuild/tables.ts'
import { tableColumns } from '#src/store/table-columns.ts'
import { isAsTheLog } from './as-the-log.ts'
import { type Held, LEASE_MS } from './held.ts'
import type { RebuildNeeds } from './needs.ts'
import { BEGINNING, isBefore, type Places } from './places.ts'
import type { Start } from './prepare.ts'
import { recorderPlaces } from './standing-places.ts'

/** What the new tables follow by. */
export interface Following {
  /** Where they stand. */
  at(): Promise<Places>
  /** Brings them on to these places, or leaves them where they are beyond. */
  to(places: Places): Promise<void>
}

/** Rows of a table that are compared: 100,000 take about a second. */
const MOST_ROWS = 100_000

/**
 * @returns false when the rebuild has to begin anew, since dead letters that it left out have gone
 * @throws RebuildRefused when rows are not what the log says
 */
export async function checkNew(
  needs: RebuildNeeds,
  held: Held,
  targets: readonly Projection[],
  start: Start,
  following: Following,
): Promise<boolean> {
  held.note({ step: 'verifying' })
  const names = targets.map(({ name }) => name)
  needs.onNews({ names, step: 'verifying', eventsDone: 0, eventsTotal: 0 })
  const corrected = (await isOfOneCode(needs, targets)) ? await differingFromLive(held, targets, following) : null
  if (corrected !== 0 && !(await isAsTheLog(needs, held, targets, start, await following.at()))) return false
  if (corrected) await held.write((client) => keepRebuild(client, held.job, LEASE_MS, { corrected }))
  return true
}

/** The live tables are of this code, whole, and where the recorder is: then both have to be the same. */
async function isOfOneCode({ pool }: RebuildNeeds, targets: readonly Projection[]): Promise<boolean> {
  const { versions, behind } = await readStanding(pool)
  const isCurrent = targets.every(({ name, version }) => versions.get(name) === version && !behind.has(name))
  return isCurrent && (await areLive(pool, targets))
}

/** How many rows differ; null when the new tables stand further than the live ones. */
async function differingFromLive(
  held: Held,
  targets: readonly Projection[],
  following: Following,
): Promise<number | null> {
  // The rows and the place at which they stand belong together: one snapshot sees both.
  const shares = new Map<Projection, string>()
  const places = await held.write(async (client) => {
    const where = await recorderPlaces(client)
    for (const target of targets)
      shares.set(target, await copyShare(client, target.table, target.keyColumns, MOST_ROWS))
    return where
  }, 'repeatable read')
  await following.to(places)
  const at = await following.at()
  return held.write(async (client) => {
    let different: number | null = null
    if ([...at].every(([partition, place]) => !isBefore(places.get(partition) ?? BEGINNING, place))) {
      different = 0
      for (const [projection, share] of shares) {
        const { missing, extra, different: others } = await compareShare(client, projection, share)
        different += missing + extra + others
      }
    }
    await dropTables(
      client,
      targets.map(({ table }) => wasTable(table)),
    )
    return different
  })
}

async function compareShare(client: PoolClient, projection: Projection, share: string): Promise<Compared> {
  const { table, keyColumns, row } = projection
  return compareTables(client, {
    live: wasTable(table),
    folded: `(select * from ${newTable(table)} t where ${share})`,
    keyColumns,
    columns: await tableColumns(client, table, Object.keys(row.properties)),
    sampled: null,
    comparable: 'true',
    show: 0,
  })
}
