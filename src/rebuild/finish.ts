/** Between the folding and the following: rows that are carried over, indexes, and a first check of what was written. */
import type { Projection } from '#src/consumer/projection.ts'
import { RebuildRefused } from '#src/errors.ts'
import { keepRebuild } from '#src/store/rebuild/job.ts'
import { dropTables, finishNewTable, newTable, startTable } from '#src/store/rebuild/tables.ts'
import { noteFollowed, readUnits } from '#src/store/rebuild/unit.ts'
import { type Held, LEASE_MS } from './held.ts'
import type { RebuildNeeds } from './needs.ts'
import { placesJson } from './places.ts'
import type { Start } from './prepare.ts'

/** Completes the new tables up to where the folding went. */
export async function finishTables(
  { pool, onNews }: RebuildNeeds,
  held: Held,
  targets: readonly Projection[],
  { through, carriedBefore }: Start,
): Promise<void> {
  const units = await readUnits(pool, held.job.id)
  const names = targets.map(({ name }) => name)
  const eventsDone = units.reduce((sum, { events }) => sum + events, 0)
  const say = (step: string) => {
    held.note({ step, eventsDone, eventsTotal: eventsDone })
    onNews({ names, step, eventsDone, eventsTotal: eventsDone })
  }
  const made = units.reduce((sum, unit) => sum + unit.rows, 0)
  await held.write(async (client) => {
    const count = async (table: string) =>
      (await client.query<{ rows: number }>(`select count(*)::float8 as rows from ${table}`)).rows[0]?.rows ?? 0
    let written = 0
    for (const { table } of targets) written += await count(newTable(table))
    if (written !== made)
      throw new RebuildRefused(
        `the new tables have ${written} rows, but ${made} were written: cancel this rebuild and begin anew.`,
      )
    let added = 0
    for (const projection of targets) {
      if (carriedBefore === null) continue
      say(`carrying rows of ${projection.name} over`)
      added += await carryOver(client, projection)
      await dropTables(client, [startTable(projection.table)])
    }
    for (const { table } of targets) await finishNewTable(client, table, (index) => say(`building ${index}`))
    await noteFollowed(client, held.job.id, placesJson(through))
    const said = { eventsDone, eventsTotal: eventsDone, rows: written + added, carried: added }
    await keepRebuild(client, held.job, LEASE_MS, said)
  })
}

/** The rows that began too long ago, and those of which no event is left at all. Returns how many there were. */
async function carryOver(
  client: { query(text: string): Promise<{ rowCount: number | null }> },
  { table, keyColumns }: Projection,
): Promise<number> {
  const same = keyColumns.map((column) => `made.${column} = was.${column}`).join(' and ')
  const { rowCount } = await client.query(
    `insert into ${newTable(table)} select was.* from ${startTable(table)} was
     where not exists (select from ${newTable(table)} made where ${same})`,
  )
  return rowCount ?? 0
}
