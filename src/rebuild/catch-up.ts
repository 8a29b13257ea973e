/**
 * Brings tables on that are behind the recorder's checkpoint, from the log, until the recorder can go on with them. Those
 * that look into each other are brought on together, so that each finds in the other what was there when an event came.
 */
import type { PoolClient } from 'pg'
import { RECORDER } from '#src/bus/index.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { readCheckpoints } from '#src/store/checkpoint.ts'
import { insertDeadLetters } from '#src/store/dead-letter.ts'
import { closeGate, lockBehind, moveBehind, passGate, readStanding, standBehind } from '#src/store/projection-gate.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { awaitLog } from './await-log.ts'
import { type Follower, follow, openFollower } from './follow.ts'
import type { RebuildNeeds } from './needs.ts'
import type { Places } from './places.ts'

/** With the gate closed the recorder waits, so there is little left to do by then. */
const MOST_PARTS = 2
const GATE_MS = 1_000
/** Bounded, so that one table keeps no other waiting for long; the next round goes on. */
const MOST_ROUNDS = 20

/** Others were faster, or there is more to do with the gate open. Rolls the transaction back. */
class NotNow extends Error {}

/** Where tables stand that have to be at one place; `uneven` when they are not, null when none is behind. */
export function commonPlaces(
  behind: ReadonlyMap<string, Places>,
  group: readonly Pick<Projection, 'name'>[],
): Places | 'uneven' | null {
  const [first = null, ...others] = group.map(({ name }) => behind.get(name) ?? null)
  return others.every((other) => isSame(other, first)) ? first : 'uneven'
}

/**
 * Catches up with a group, as `groupsOf` gives it, of which all tables stand at one place. Any number of processes may call
 * it at once. True when the tables stand where the checkpoint is.
 */
export async function catchUp(
  needs: RebuildNeeds,
  group: readonly Projection[],
  signal: AbortSignal,
): Promise<boolean> {
  const { pool } = needs
  const follower = await openFollower(pool, group, ({ table }) => table, true)
  for (let round = 0; round < MOST_ROUNDS; round++) {
    signal.throwIfAborted()
    const behind = commonPlaces((await readStanding(pool)).behind, group)
    if (behind === null) return true
    if (behind === 'uneven') return false
    const to = await placesOfThose(needs, behind)
    await awaitLog(pool, to, signal)
    if (!(await bringOn(needs, follower, behind, to))) continue
    if (await finish(needs, follower, signal)) return true
  }
  return false
}

/** Where the recorder is, in the partitions in which the table is behind. */
async function placesOfThose({ pool }: RebuildNeeds, behind: Places): Promise<Places> {
  const all = new Map((await readCheckpoints(pool, RECORDER)).map((each) => [each.partition, each.position]))
  return new Map([...behind].map(([partition, place]) => [partition, all.get(partition) ?? place]))
}

/** A transaction for each part; stops where another process turns out to do the same. */
async function bringOn({ pool }: RebuildNeeds, follower: Follower, from: Places, to: Places): Promise<boolean> {
  let at = from
  try {
    await follow(pool, follower, from, to, (apply) =>
      inTransaction(pool, 0, async (client) => {
        await passGate(client)
        const standing = await lockAll(client, follower.projections)
        if (standing === 'uneven' || !isSame(standing, at)) throw new NotNow()
        const { places, letters } = await apply(client)
        if (letters.length > 0) await insertDeadLetters(client, letters)
        for (const { name } of follower.projections) await moveBehind(client, name, places)
        at = places
      }),
    )
    return true
  } catch (error) {
    if (error instanceof NotNow) return false
    throw error
  }
}

/** Holds the notes of where they stand against others who bring them on. */
async function lockAll(client: PoolClient, group: readonly Projection[]): Promise<Places | 'uneven' | null> {
  const behind = new Map<string, Places>()
  for (const { name } of group) {
    const places = await lockBehind(client, name)
    if (places !== null) behind.set(name, places)
  }
  return commonPlaces(behind, group)
}

/** What is left, with the gate closed: then the recorder goes on with them. */
async function finish(needs: RebuildNeeds, follower: Follower, signal: AbortSignal): Promise<boolean> {
  const { pool } = needs
  try {
    await inTransaction(pool, 0, async (client) => {
      await closeGate(client, GATE_MS)
      const behind = await lockAll(client, follower.projections)
      if (behind === null) return
      if (behind === 'uneven') throw new NotNow()
      const to = await placesOfThose(needs, behind)
      await awaitLog(pool, to, AbortSignal.any([signal, AbortSignal.timeout(GATE_MS)]))
      let parts = 0
      await follow(pool, follower, behind, to, async (apply) => {
        if (++parts > MOST_PARTS) throw new NotNow()
        const { letters } = await apply(client)
        if (letters.length > 0) await insertDeadLetters(client, letters)
      })
      for (const { name } of follower.projections) await standBehind(client, name, new Map())
    })
    return true
  } catch (error) {
    if (error instanceof NotNow || (error as { code?: string }).code === '55P03' || isTimeout(error)) return false
    throw error
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError')
}

function isSame(a: Places | null, b: Places | null): boolean {
  if (a === null || b === null) return a === b
  if (a.size !== b.size) return false
  return [...a].every(([partition, { ms, seq }]) => b.get(partition)?.ms === ms && b.get(partition)?.seq === seq)
}
