import { setTimeout as sleep } from 'node:timers/promises'
import { blamesData } from '#src/consumer/disposition.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { RebuildRefused } from '#src/errors.ts'
import { insertDeadLetters } from '#src/store/dead-letter.ts'
import { readStanding } from '#src/store/projection-gate.ts'
import { leaveOut, noteFailed, noteStart, type RebuildJob, readRebuild } from '#src/store/rebuild/job.ts'
import { newTable } from '#src/store/rebuild/tables.ts'
import { FOLLOWING, noteFollowed, readUnits } from '#src/store/rebuild/unit.ts'
import { awaitLog } from './await-log.ts'
import { foldLog } from './bulk.ts'
import { foldByEvent } from './by-event.ts'
import { checkNew, type Following } from './check-new.ts'
import { finishTables } from './finish.ts'
import { type Follower, follow, openFollower } from './follow.ts'
import { type Held, hold } from './held.ts'
import { waitingGroup } from './letters.ts'
import type { RebuildNeeds } from './needs.ts'
import { type Places, placesJson, placesOf } from './places.ts'
import { prepare, type Start } from './prepare.ts'
import { recorderPlaces } from './standing-places.ts'
import { swap } from './swap.ts'

/** Dead letters that go while a rebuild leaves their events out make it begin anew; more often than that nobody wants. */
const MOST_BEGINNINGS = 3
/** Between two attempts at the last step, where the recorder has something to do first. */
const LATE_MS = 50

/**
 * Works on a rebuild until its tables are the live ones. When it is stopped or dies, the next call goes on where it was.
 * @throws RebuildBusy, RebuildLost, RebuildRefused, StoreUnavailable, and what the signal says
 */
export async function runRebuild(needs: RebuildNeeds, id: number, stop: AbortSignal): Promise<RebuildJob> {
  const held = await hold(needs.pool, id, needs.owner, stop)
  try {
    const targets = targetsOf(needs.projections, held.job)
    for (let beginnings = 1; !(await rebuild(needs, held, targets)); beginnings++) {
      if (beginnings === MOST_BEGINNINGS)
        throw new RebuildRefused('dead letters are replayed or discarded all the time: try again when that is done.')
      await held.write((client) => noteStart(client, id, null))
    }
    await held.release(null)
  } catch (error) {
    const failed = !held.signal.aborted
    await held.release(failed ? (error as Error).message : null).catch(() => {})
    throw held.signal.aborted ? held.signal.reason : error
  }
  return (await readRebuild(needs.pool, id)) as RebuildJob
}

function targetsOf(all: readonly Projection[], { names, versions }: RebuildJob): Projection[] {
  return names.map((name, i) => {
    const projection = all.find((each) => each.name === name)
    if (projection?.version !== versions[i])
      throw new RebuildRefused(
        `this rebuild of ${name} was begun for version ${versions[i]} of its code, and here it is ${projection?.version ?? 'unknown'}: cancel it and begin anew.`,
      )
    return projection as Projection
  })
}

/** False when it has to begin anew. */
async function rebuild(needs: RebuildNeeds, held: Held, targets: readonly Projection[]): Promise<boolean> {
  const { pool, onNews } = needs
  const start = await prepare(needs, held, targets)
  await fill(needs, held, targets, start)
  const names = targets.map(({ name }) => name)
  const { versions } = await readStanding(pool)
  const filesLetters = targets.some(({ name, version }) => versions.get(name) !== version)
  const follower = await openFollower(pool, targets, ({ table }) => newTable(table), filesLetters, held.job.id)
  let followed = 0
  const following: Following = {
    at: () => followedTo(needs, held),
    async to(places) {
      await awaitLog(pool, places, held.signal)
      held.note({ step: 'following' })
      followed += await followOn(needs, held, follower, await following.at(), places)
      onNews({ names, step: 'following', eventsDone: followed, eventsTotal: followed })
    },
  }
  await following.to(await recorderPlaces(pool))
  if (!(await checkNew(needs, held, targets, start, following))) return false
  for (;;) {
    await following.to(await recorderPlaces(pool))
    const letters = new Set((await readRebuild(pool, held.job.id))?.letters)
    const ended = await swap(needs, held, follower, await followedTo(needs, held), letters)
    if (ended !== 'late') return ended === 'done'
    await sleep(LATE_MS, undefined, { signal: held.signal })
  }
}

/** In memory; where a table refuses what comes of that, event by event. */
async function fill(needs: RebuildNeeds, held: Held, targets: readonly Projection[], start: Start): Promise<void> {
  // An earlier process was done with it, and died while the tables followed.
  if ((await readUnits(needs.pool, held.job.id)).some(({ partition }) => partition === FOLLOWING)) return
  try {
    await foldLog(needs, held, targets, start)
    await finishTables(needs, held, targets, start)
  } catch (error) {
    if (!blamesData(error)) throw error
    await foldByEvent(needs, held, targets, start)
    await finishTables(needs, held, targets, start)
  }
}

async function followedTo({ pool }: RebuildNeeds, { job }: Held): Promise<Places> {
  const units = await readUnits(pool, job.id)
  return placesOf(units.find(({ partition }) => partition === FOLLOWING)?.through ?? {})
}

function followOn({ pool }: RebuildNeeds, held: Held, follower: Follower, at: Places, to: Places): Promise<number> {
  const { id } = held.job
  return follow(pool, follower, at, to, async (apply) => {
    held.signal.throwIfAborted()
    await held.write(async (client) => {
      const { places, letters, leftOut } = await apply(client)
      if (letters.length > 0)
        await insertDeadLetters(
          client,
          letters.map((letter) => ({ ...letter, group: waitingGroup(id, letter.group) })),
        )
      if (leftOut.length > 0) await leaveOut(client, id, leftOut)
      await noteFollowed(client, id, placesJson(places))
      await noteFailed(client, id, letters.length)
    })
  })
}
