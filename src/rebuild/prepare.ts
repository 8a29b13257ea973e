/** What a rebuild does before it folds: new tables, and the place up to which they are to be filled. */
import type { Pool, PoolClient } from 'pg'
import { indexesOf, isLookedInto } from '#src/consumer/fold.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { RebuildRefused } from '#src/errors.ts'
import { readStanding } from '#src/store/projection-gate.ts'
import { noteStart, readRebuild } from '#src/store/rebuild/job.ts'
import { dropLetters } from '#src/store/rebuild/letter-places.ts'
import { dependentOf, dropTables, makeNewTable, startTable } from '#src/store/rebuild/tables.ts'
import { tableColumns } from '#src/store/table-columns.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { closeFrozen, FrozenRows } from './frozen-rows.ts'
import type { Held } from './held.ts'
import { readLeftOut } from './letters.ts'
import { findMissing, type Missing } from './missing.ts'
import type { RebuildNeeds } from './needs.ts'
import { isBefore, type Places, placesJson, placesOf } from './places.ts'
import { recorderPlaces } from './standing-places.ts'

/** From where a rebuild folds, and to where. */
export interface Start {
  readonly through: Places
  /** Rows that began before are carried over; null for none. */
  readonly carriedBefore: string | null
  readonly missing: Missing
}

/**
 * Makes the new tables, unless an earlier process has done it and all that it was to read is still there.
 * @throws RebuildRefused
 */
export async function prepare(needs: RebuildNeeds, held: Held, targets: readonly Projection[]): Promise<Start> {
  const job = (await readRebuild(needs.pool, held.job.id)) ?? held.job
  const missing = await findMissing({ ...needs, db: needs.pool }, targets)
  const carriedBefore = later(missing.before, job.since)
  if (job.start !== null && !(await hasMoreLeft(needs, targets, later(job.carriedBefore, job.since))))
    return { through: placesOf(job.start), carriedBefore: later(job.carriedBefore, job.since), missing }
  for (const { table, name } of targets) {
    const dependent = await dependentOf(needs.pool, table)
    if (dependent !== null)
      throw new RebuildRefused(
        `${dependent} reads ${table}, and would stay with the old table of ${name}: drop it, rebuild, and make it again.`,
      )
  }
  if (job.strict && missing.before !== null) await refuseCarrying(needs, targets, missing.before)
  // The rows and the place at which they stand belong together: one snapshot sees both.
  const through = await held.write(async (client) => {
    const places = await recorderPlaces(client)
    const { behind } = await readStanding(client)
    for (const { name } of targets)
      for (const [partition, place] of behind.get(name) ?? [])
        if (isBefore(place, places.get(partition) ?? place)) places.set(partition, place)
    await dropLetters(client, `rebuild:${job.id}:`)
    for (const { table, keyColumns } of targets) {
      await makeNewTable(client, table)
      await dropTables(client, [startTable(table)])
      if (carriedBefore !== null) await copyStart(client, table, keyColumns)
    }
    return places
  }, 'repeatable read')
  const { ids } = await readLeftOut(needs.pool, targets)
  await held.write((client) => noteStart(client, job.id, { places: placesJson(through), carriedBefore, letters: ids }))
  return { through, carriedBefore, missing }
}

/**
 * Whether events left, or went from the archive, that rows need which are not carried over. Rebuilds under way hold
 * retention back, but not one that failed: it may stay so for long. What is still there but would be gone by its age does not
 * count.
 */
async function hasMoreLeft(
  needs: RebuildNeeds,
  targets: readonly Projection[],
  carriedBefore: string | null,
): Promise<boolean> {
  const policy = { ...needs.policy, overrides: {} }
  const { before } = await findMissing({ ...needs, policy, db: needs.pool }, targets)
  return before !== null && (carriedBefore === null || before > carriedBefore)
}

/** With an index on the key, by which rows are found. */
async function copyStart(client: PoolClient, table: string, keyColumns: readonly string[]): Promise<void> {
  await client.query(
    `create table ${startTable(table)} as select * from ${table};
     create index on ${startTable(table)} (${keyColumns.join(', ')}); analyze ${startTable(table)}`,
  )
}

function later(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b
  return a > b ? a : b
}

async function refuseCarrying(needs: RebuildNeeds, targets: readonly Projection[], before: string): Promise<void> {
  for (const projection of targets) {
    const { rows } = await needs.pool.query<{ count: number }>(
      `select count(*)::float8 as count from ${projection.table} where ${beganBefore(projection, before)}`,
    )
    const count = rows[0]?.count ?? 0
    if (count > 0)
      throw new RebuildRefused(
        `${count} rows of ${projection.name} may have events that left the log (before ${before}): bring them back ` +
          'with `millrace archive restore`, or rebuild without --strict, which carries these rows over.',
      )
  }
}

/** The condition of the rows that began before a moment, as far as that can be known. */
export function beganBefore({ since }: Projection, moment: string): string {
  if (!/^[\d:.TZ-]+$/.test(moment)) throw new RangeError(`${moment} is no instant`)
  return since === null ? 'true' : `(${since} is null or ${since} < '${moment}'::timestamptz)`
}

/**
 * The rows that a fold is to leave as they are, by projections' names; with their content where others look into them.
 * @param carriedBefore see `Start`
 * @param looking those that look rows up in the fold
 */
export async function frozenRows(
  pool: Pool,
  targets: readonly Projection[],
  carriedBefore: string | null,
  looking: readonly Projection[],
): Promise<Map<string, FrozenRows>> {
  const frozen = new Map<string, FrozenRows>()
  if (carriedBefore === null) return frozen
  try {
    for (const target of targets) {
      const { keyColumns, row } = target
      const table = startTable(target.table)
      const isFound = isLookedInto(target, looking)
      const columns = await tableColumns(pool, table, isFound ? Object.keys(row.properties) : keyColumns)
      const indexes = isFound ? indexesOf(target, looking) : [keyColumns]
      const source = { table, which: beganBefore(target, carriedBefore), columns, keyColumns, indexes }
      frozen.set(target.name, await inTransaction(pool, 0, (client) => FrozenRows.read(client, source)))
    }
    return frozen
  } catch (error) {
    closeFrozen(frozen)
    throw error
  }
}
