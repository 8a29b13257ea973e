/** Brings a table on that is behind the recorder's checkpoint, from the log, until the recorder can go on with it. */
import type { Projection } from '#src/consumer/projection.ts'
import { readCheckpoints } from '#src/store/checkpoint.ts'
import { insertDeadLetters } from '#src/store/dead-letter.ts'
import { closeGate, lockBehind, moveBehind, passGate, readStanding, standBehind } from '#src/store/projection-gate.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { type Follower, follow, openFollower } from './follow.ts'
import type { RebuildNeeds } from './needs.ts'
import type { Places } from './places.ts'
import { awaitLog } from './source.ts'
import { RECORDER } from './standing-places.ts'

/** With the gate closed the recorder waits, so there is little left to do by then. */
const MOST_PARTS = 2
const GATE_MS = 1_000
/** Bounded, so that one table keeps no other waiting for long; the next round goes on. */
const MOST_ROUNDS = 20

/** Others were faster, or there is more to do with the gate open. Rolls the transaction back. */
class NotNow extends Error {}

/**
 * Catches up. For a projection that looks into none, and that none looks into: what is found there would be later than
 * the events. Any number of processes may call it at once. True when the table stands where the checkpoint is.
 */
export async function catchUp(needs: RebuildNeeds, projection: Projection, signal: AbortSignal): Promise<boolean> {
  const { pool } = needs
  const follower = await openFollower(pool, [projection], ({ table }) => table, true)
  for (let round = 0; round < MOST_ROUNDS; round++) {
    signal.throwIfAborted()
    const behind = (await readStanding(pool)).behind.get(projection.name)
    if (behind === undefined) return true
    const to = await placesOfThose(needs, behind)
    await awaitLog(pool, to, signal)
    if (!(await bringOn(needs, follower, projection, behind, to))) continue
    if (await finish(needs, follower, projection, signal)) return true
  }
  return false
}

/** Where the recorder is, in the partitions in which the table is behind. */
async function placesOfThose({ pool }: RebuildNeeds, behind: Places): Promise<Places> {
  const all = new Map((await readCheckpoints(pool, RECORDER)).map((each) => [each.partition, each.position]))
  return new Map([...behind].map(([partition, place]) => [partition, all.get(partition) ?? place]))
}

/** A transaction for each part; stops where another process turns out to do the same. */
async function bringOn(
  { pool }: RebuildNeeds,
  follower: Follower,
  { name }: Projection,
  from: Places,
  to: Places,
): Promise<boolean> {
  let at = from
  try {
    await follow(pool, follower, from, to, (apply) =>
      inTransaction(pool, 0, async (client) => {
        await passGate(client)
        if (!isSame(await lockBehind(client, name), at)) throw new NotNow()
        const { places, letters } = await apply(client)
        if (letters.length > 0) await insertDeadLetters(client, letters)
        await moveBehind(client, name, places)
        at = places
      }),
    )
    return true
  } catch (error) {
    if (error instanceof NotNow) return false
    throw error
  }
}

/** What is left, with the gate closed: then the recorder goes on with it. */
async function finish(
  needs: RebuildNeeds,
  follower: Follower,
  { name }: Projection,
  signal: AbortSignal,
): Promise<boolean> {
  const { pool } = needs
  try {
    await inTransaction(pool, 0, async (client) => {
      await closeGate(client, GATE_MS)
      const behind = await lockBehind(client, name)
      if (behind === null) return
      const to = await placesOfThose(needs, behind)
      await awaitLog(pool, to, AbortSignal.any([signal, AbortSignal.timeout(GATE_MS)]))
      let parts = 0
      await follow(pool, follower, behind, to, async (apply) => {
        if (++parts > MOST_PARTS) throw new NotNow()
        const { letters } = await apply(client)
        if (letters.length > 0) await insertDeadLetters(client, letters)
      })
      await standBehind(client, name, new Map())
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

function isSame(a: Places | null, b: Places): boolean {
  if (a === null || a.size !== b.size) return false
  return [...a].every(([partition, { ms, seq }]) => b.get(partition)?.ms === ms && b.get(partition)?.seq === seq)
}
