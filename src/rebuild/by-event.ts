/**
 * The slow way of a rebuild, for when a table has refused rows that were folded in memory: by a constraint, or since one is too
 * long for an index. The events are folded into the new tables as the recorder does it, indexes and all, so that each event to
 * blame is found and set aside, or passed over, and all others count.
 */
import type { PoolClient } from 'pg'
import type { Projection } from '#src/consumer/projection.ts'
import { RebuildRefused } from '#src/errors.ts'
import { insertDeadLetters } from '#src/store/dead-letter.ts'
import { logSize } from '#src/store/log-read.ts'
import { readStanding } from '#src/store/projection-gate.ts'
import { noteFailed } from '#src/store/rebuild/job.ts'
import { finishNewTable, newTable, startTable } from '#src/store/rebuild/tables.ts'
import { addUnit, BY_EVENT } from '#src/store/rebuild/unit.ts'
import { readingFor } from './archived.ts'
import { beginAsOne } from './bulk.ts'
import { foldPart, openFollower } from './follow.ts'
import { closeFrozen } from './frozen-rows.ts'
import type { Held } from './held.ts'
import { waitingGroup } from './letters.ts'
import type { RebuildNeeds } from './needs.ts'
import { placesJson } from './places.ts'
import { beganBefore, frozenRows, type Start } from './prepare.ts'
import { eventsOf } from './source.ts'
import { MOST_FAILED } from './unit.ts'

/**
 * Fills the new tables from the first event to the start of the rebuild, in one transaction: a process that dies begins
 * this anew.
 * @throws RebuildRefused when too many events fail
 */
export async function foldByEvent(
  needs: RebuildNeeds,
  held: Held,
  targets: readonly Projection[],
  start: Start,
): Promise<void> {
  const { pool, place, onNews } = needs
  const { id } = held.job
  const names = targets.map(({ name }) => name)
  const { versions } = await readStanding(pool)
  const filesLetters = targets.some(({ name, version }) => versions.get(name) !== version)
  const eventsTotal = await logSize(pool)
  const partitions = [...start.through.keys()]
  const wanted = await readingFor(pool, targets, place, start.missing.archived)
  const reading = { ...wanted, partitions, through: start.through, after: null }
  await beginAsOne(held, targets, start)
  const frozen = await frozenRows(pool, targets, start.carriedBefore, []) // those that are looked up are lent
  const write = async (client: PoolClient) => {
    for (const target of targets) {
      await finishNewTable(client, target.table)
      if (start.carriedBefore === null) continue
      await lend(client, target, start.carriedBefore)
    }
    const follower = await openFollower(client, targets, ({ table }) => newTable(table), filesLetters, id, frozen)
    let [eventsDone, failed] = [0, 0]
    for await (const events of eventsOf(pool, reading)) {
      held.signal.throwIfAborted()
      const { letters } = await foldPart(client, follower, events, start.through)
      failed += letters.length
      if (failed > MOST_FAILED)
        throw new RebuildRefused(`${names.join(', ')}: more than ${MOST_FAILED} events fail: correct this first.`)
      const waiting = letters.map(({ group, ...letter }) => ({ ...letter, group: waitingGroup(id, group) }))
      if (waiting.length > 0) await insertDeadLetters(client, waiting)
      eventsDone += events.length
      held.note({ eventsDone, step: 'folding event by event' })
      onNews({
        ...{ names, step: 'folding event by event, since a table refused a row' },
        ...{ eventsDone, eventsTotal: Math.max(eventsTotal, eventsDone) },
      })
    }
    let rows = 0
    for (const target of targets) {
      if (start.carriedBefore !== null) await takeBack(client, target, start.carriedBefore)
      rows += await countRows(client, newTable(target.table))
    }
    const [through, keys] = [placesJson(start.through), Buffer.alloc(0)]
    await addUnit(client, id, { partition: BY_EVENT, through, events: eventsDone, rows, keys })
    await noteFailed(client, id, failed)
  }
  await held.write(write).finally(() => closeFrozen(frozen))
}

/** Rows that will be carried over are there to be looked up meanwhile. */
async function lend(client: PoolClient, projection: Projection, moment: string): Promise<void> {
  const { table } = projection
  await client.query(
    `insert into ${newTable(table)} select * from ${startTable(table)} where ${beganBefore(projection, moment)}`,
  )
}

/** They come once the indexes are there, with those of which no event is left. */
async function takeBack(client: PoolClient, projection: Projection, moment: string): Promise<void> {
  const { table, keyColumns } = projection
  const keys = keyColumns.join(', ')
  await client.query(
    `delete from ${newTable(table)} where (${keys}) in
       (select ${keys} from ${startTable(table)} where ${beganBefore(projection, moment)})`,
  )
}

async function countRows(client: PoolClient, table: string): Promise<number> {
  const { rows } = await client.query<{ rows: number }>(`select count(*)::float8 as rows from ${table}`)
  return rows[0]?.rows ?? 0
}
