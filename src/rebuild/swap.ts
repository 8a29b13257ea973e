/** The last step of a rebuild: what is still missing is folded with the gate closed, and both tables change their names. */
import type { PoolClient } from 'pg'
import { PERSISTER, RECORDER } from '#src/bus/index.ts'
import { lettersGroup } from '#src/consumer/waiting-keys.ts'
import { RebuildRefused } from '#src/errors.ts'
import { readCheckpoints } from '#src/store/checkpoint.ts'
import { closeGate, noteBehind, readStanding } from '#src/store/projection-gate.ts'
import { endRebuild } from '#src/store/rebuild/job.ts'
import { keepOld, liftIdle, noteRebuilt } from '#src/store/rebuild/kept.ts'
import { countGone, moveLetters } from '#src/store/rebuild/letter-places.ts'
import {
  exchangeStatements,
  haveSameColumns,
  keepMaintenanceOff,
  keptTable,
  newTable,
} from '#src/store/rebuild/tables.ts'
import { mayApplyLost } from '#src/store/unlogged.ts'
import { type Follower, follow } from './follow.ts'
import type { Held } from './held.ts'
import { waitingGroup } from './letters.ts'
import type { RebuildNeeds } from './needs.ts'
import { BEGINNING, isBefore, type Places, placesJson } from './places.ts'
import { recorderPlaces } from './standing-places.ts'
import { TABLE_MS, untilFree } from './until-free.ts'

/** What a swap waits for: once it is over everybody is let through, and it is tried again. */
const GATE_MS = 1_000
const FROZEN_MS = 3_000
/** More than that is followed with the gate open. */
const MOST_EVENTS = 2_000

/** How an attempt ended: `late` there is more to follow first, `anew` from the beginning. */
type Attempt = 'done' | 'late' | 'anew'

/** Tries until it is done or there is more to follow. */
export function swap(
  needs: RebuildNeeds,
  held: Held,
  follower: Follower,
  at: Places,
  letters: ReadonlySet<string>,
): Promise<Attempt> {
  return untilFree(held.signal, () =>
    held
      .write((client) => attemptSwap(needs, held, follower, at, letters, client))
      .catch((error: unknown): Attempt => {
        if (error instanceof Late) return 'late'
        throw error
      }),
  )
}

/** Rolls the attempt back. */
class Late extends Error {}

async function attemptSwap(
  { pool }: RebuildNeeds,
  { job }: Held,
  follower: Follower,
  at: Places,
  letters: ReadonlySet<string>,
  client: PoolClient,
): Promise<Attempt> {
  const { projections } = follower
  const names = projections.map(({ name }) => name)
  const tables = projections.map(({ table }) => table)
  // A process that is frozen here must not keep the gate closed.
  await client.query(`set local idle_in_transaction_session_timeout = ${FROZEN_MS}`)
  await keepMaintenanceOff(
    client,
    tables.flatMap((table) => [table, newTable(table), keptTable(table)]),
  )
  await closeGate(client, GATE_MS)
  const to = await recorderPlaces(client)
  if (await mayApplyLost(client, PERSISTER, RECORDER)) throw new Late() // it would come into the new tables
  await refuseWhatIsAhead(client, at, to)
  let used = letters
  const written = new Map((await readCheckpoints(client, PERSISTER)).map((each) => [each.partition, each.position]))
  for (const [partition, place] of to) if (isBefore(written.get(partition) ?? BEGINNING, place)) throw new Late()
  let parts = 0
  await follow(pool, follower, at, to, async (apply) => {
    if (++parts > MOST_EVENTS / 1_000) throw new Late()
    const { letters: failed, leftOut } = await apply(client)
    used = new Set([...used, ...leftOut])
    if (failed.length > 0) throw new Late() // filed where that is done, with the gate open
  })
  if ((await countGone(client, [...used])) > 0) return 'anew'
  for (const table of tables)
    if (!(await haveSameColumns(client, table, newTable(table))))
      throw new RebuildRefused(`a migration has changed ${table} meanwhile: cancel this rebuild and begin anew.`)
  const standing = await readStanding(client)
  const lifted = await liftIdle(client, PERSISTER, RECORDER)
  const others = [...standing.versions.keys()].filter((name) => !names.includes(name))
  for (const partition of lifted) await noteBehind(client, others, partition, BEGINNING)
  for (const { name, table } of projections) {
    await client.query(`drop table if exists ${keptTable(table)}`)
    const places = new Map([...to, ...lifted.map((partition) => [partition, BEGINNING] as const)])
    for (const [partition, place] of standing.behind.get(name) ?? []) places.set(partition, place)
    const version = standing.versions.get(name) ?? 0
    await keepOld(client, { name, table: keptTable(table), version, places: placesJson(places) })
    await moveLetters(client, waitingGroup(job.id, lettersGroup({ name })), lettersGroup({ name }))
  }
  await noteRebuilt(client, projections)
  await endRebuild(client, job.id, 'done')
  const statements = []
  for (const table of tables) statements.push(await exchangeStatements(client, table, newTable(table)))
  await client.query([`set local lock_timeout = ${TABLE_MS}`, ...statements, 'commit'].join(';\n'))
  return 'done'
}

/**
 * The new tables are ahead of a recorder that began after the rebuild and still reads what was waiting for it: they wait
 * until it has come as far.
 */
async function refuseWhatIsAhead(client: PoolClient, at: Places, to: Places): Promise<void> {
  const recorded = new Map((await readCheckpoints(client, RECORDER)).map((each) => [each.partition, each.position]))
  for (const [partition, place] of at) {
    const recorder = recorded.get(partition) ?? BEGINNING
    if (isBefore(BEGINNING, recorder) && isBefore(recorder, place)) throw new Late()
    if (isBefore(to.get(partition) ?? BEGINNING, place)) throw new Late()
  }
}
