/** What operators do with rebuilds beside running them: give one up, take the old table back, let it go. */
import type { Pool } from 'pg'
import { RECORDER } from '#src/bus/index.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { RebuildRefused } from '#src/errors.ts'
import { type Queryable, readCheckpoints } from '#src/store/checkpoint.ts'
import { lockDayPartitions } from '#src/store/day-partitions.ts'
import { closeGate, readStanding, standBehind } from '#src/store/projection-gate.ts'
import { endRebuild, openRebuilds, type RebuildJob } from '#src/store/rebuild/job.ts'
import { forgetKept, holdVersion, type KeptTable, keepOld, readKept } from '#src/store/rebuild/kept.ts'
import { dropLetters } from '#src/store/rebuild/letter-places.ts'
import {
  dropTables,
  exchangeStatements,
  haveSameColumns,
  keepMaintenanceOff,
  keptTable,
  newTable,
  startTable,
  wasTable,
} from '#src/store/rebuild/tables.ts'
import { prunedSince } from '#src/store/retention/pruned-day.ts'
import { prunedNames } from '#src/store/retention/pruned-name.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { isBefore, placesJson, placesOf } from './places.ts'
import { TABLE_MS, untilFree } from './until-free.ts'

/** What became of rebuilds that somebody gave up. */
export interface Cancelled {
  readonly cancelled: readonly RebuildJob[]
  /** They exchanged their tables while that was tried. */
  readonly done: readonly RebuildJob[]
}

/** Gives up what is under way for any of these projections: its tables go, the live ones stay. */
export async function cancelRebuilds(pool: Pool, projections: readonly Projection[]): Promise<Cancelled> {
  const wanted = projections.map(({ name }) => name)
  const cancelled: RebuildJob[] = []
  const done: RebuildJob[] = []
  for (const job of await openRebuilds(pool)) {
    if (!job.names.some((name) => wanted.includes(name))) continue
    await inTransaction(pool, 0, async (client) => {
      if (!(await endRebuild(client, job.id, 'cancelled'))) return done.push(job)
      await dropLetters(client, `rebuild:${job.id}:`)
      const tables = projections.filter(({ name }) => job.names.includes(name)).map(({ table }) => table)
      await dropTables(
        client,
        tables.flatMap((table) => [newTable(table), startTable(table), wasTable(table)]),
      )
      return cancelled.push(job)
    })
  }
  return { cancelled, done }
}

/** Lets the tables go that rebuilds replaced. Returns the projections that had one. */
export async function finishRebuilds(pool: Pool, projections: readonly Projection[]): Promise<string[]> {
  const finished: string[] = []
  for (const { name } of projections)
    await inTransaction(pool, 0, async (client) => {
      const table = await forgetKept(client, name)
      if (table === null) return
      await dropTables(client, [table])
      finished.push(name)
    })
  return finished
}

/**
 * Gives each projection the table back that a rebuild replaced, and keeps the new one in its place. The old table stands
 * where it was replaced: the recorder leaves it alone until it has caught up from the log, which the service
 * projection-rebuilder sees to; so events that left the log since would be missing, and then it is refused.
 * @throws RebuildRefused
 */
export async function rollBack(pool: Pool, projections: readonly Projection[], signal: AbortSignal): Promise<void> {
  const kept = await readKept(pool)
  for (const projection of projections) {
    const { name, table } = projection
    const old = kept.get(name)
    if (old === undefined)
      throw new RebuildRefused(`${name} has no table from before a rebuild: there is nothing to roll back.`)
    await refusePruned(pool, projection, old)
    if (!(await haveSameColumns(pool, table, old.table)))
      throw new RebuildRefused(
        `a migration has changed ${table} since, and not the table from before: rebuild it instead.`,
      )
  }
  await untilFree(signal, () =>
    inTransaction(pool, 0, async (client) => {
      await lockDayPartitions(client) // first: with the gate closed nothing should be waited for
      await keepMaintenanceOff(
        client,
        projections.flatMap(({ table }) => [table, keptTable(table)]),
      )
      await closeGate(client, 1_000)
      if ((await openRebuilds(client)).some((job) => projections.some(({ name }) => job.names.includes(name))))
        throw new RebuildRefused('a rebuild is under way: end it with --cancel first.')
      const { versions, behind } = await readStanding(client)
      const recorded = new Map((await readCheckpoints(client, RECORDER)).map((each) => [each.partition, each.position]))
      const statements: string[] = []
      for (const projection of projections) {
        const { name, table } = projection
        const old = kept.get(name)
        if (old === undefined) continue
        await refusePruned(client, projection, old) // once more: from here on days stay, since the table is noted to be behind
        const now = new Map([...recorded, ...(behind.get(name) ?? [])])
        await keepOld(client, {
          name,
          table: keptTable(table),
          version: versions.get(name) ?? 0,
          places: placesJson(now),
        })
        const late = [...placesOf(old.positions)].filter(([partition, place]) =>
          isBefore(place, recorded.get(partition) ?? place),
        )
        await standBehind(client, name, new Map(late))
        await holdVersion(client, name, old.version)
        statements.push(await exchangeStatements(client, table, keptTable(table)))
      }
      await client.query([`set local lock_timeout = ${TABLE_MS}`, ...statements, 'commit'].join(';\n'))
    }),
  )
}

/** Of names it is known up to when they occurred, not when they left: one that came later than its name is kept for is missed. */
async function refusePruned(db: Queryable, { name, stepFor }: Projection, { swappedAt }: KeptTable): Promise<void> {
  const day = await prunedSince(db, swappedAt)
  const taken = (await prunedNames(db)).find(
    (each) => stepFor(each.name) !== null && each.upToMs > Date.parse(swappedAt),
  )
  const gone = day !== null ? `of ${day}` : taken && `named ${taken.name}`
  if (gone !== undefined)
    throw new RebuildRefused(
      `events ${gone} left the log after ${name} was rebuilt, and its old table may need them: rebuild it instead.`,
    )
}
