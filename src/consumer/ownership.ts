import type { Leases } from '#src/bus/leases.ts'
import type { Layout } from '#src/bus/partitioning.ts'
import type { Log } from '#src/log.ts'

/** A lease not renewed for this long is free for another process. */
export const LEASE_MS = 1_200
/** How often leases are renewed and the share is looked at. */
export const RENEW_MS = 300

/** Tells which partitions this process is to own; the consumer does the taking and the giving back. */
export interface Ownership {
  /** The name under which this process holds its leases. */
  readonly member: string
  /**
   * Renews what is owned and takes what is free, up to a fair share. Partitions above the share, and those that are no
   * more, are named to be given back.
   */
  balance(
    owned: ReadonlySet<number>,
  ): Promise<{ readonly gained: number[]; readonly lost: number[]; readonly surplus: number[] }>
  release(partition: number): Promise<void>
  /** Gives back all that it holds, and is no longer counted. */
  leave(): Promise<void>
}

export function createOwnership(leases: Leases, member: string, layout: Layout, log: Log): Ownership {
  const holds = new Set<number>() // also what was taken and is not used yet

  async function hold(partition: number): Promise<boolean> {
    const isHeld = await leases.hold(partition)
    if (isHeld) holds.add(partition)
    else holds.delete(partition)
    return isHeld
  }

  async function release(partition: number): Promise<void> {
    holds.delete(partition)
    await leases.release(partition)
  }

  async function balance(owned: ReadonlySet<number>) {
    // Nothing is read meanwhile, so all that need not wait for each other goes to Redis at once.
    const [{ partitions }, members] = await Promise.all([layout.refresh(), leases.join(owned.size)])
    const share = shareOf(members, member, partitions)
    const held = await Promise.all([...owned].map(hold))
    const lost = [...owned].filter((_, i) => !held[i])
    const kept = [...owned].filter((partition) => partition < partitions && !lost.includes(partition)).length
    const gained: number[] = []
    // Each member begins its search elsewhere, so that they seldom want the same one.
    const start = Math.max(0, members.indexOf(member)) * Math.ceil(partitions / Math.max(1, members.length))
    for (let i = 0; i < partitions && kept + gained.length < share; i++) {
      const partition = (start + i) % partitions
      if (owned.has(partition)) continue
      if (await hold(partition)) gained.push(partition)
    }
    // Partitions that are no more are empty; they are given back like those above the share.
    const here = [...owned].filter((partition) => !lost.includes(partition)).sort((a, b) => a - b)
    const surplus = here.slice(Math.min(share, here.filter((partition) => partition < partitions).length))
    // Said at once, since others go by it: with an old number one of them might give back more than it has to.
    const now = here.length + gained.length - surplus.length
    if (now !== owned.size) await leases.join(now)
    if (gained.length + lost.length + surplus.length > 0)
      log.debug({ members: members.length, share, gained, lost, surplus }, 'partitions change hands')
    return { gained, lost, surplus }
  }

  return {
    member,
    balance,
    release,
    async leave() {
      // Together, so that nobody who looks meanwhile finds the one done and the other not, and comes too early.
      await Promise.all([...[...holds].map(release), leases.leave()])
    },
  }
}

/**
 * How many partitions a member is to own: as even as can be, the first ones in order get one more. Where these are the ones
 * that have most, no more than must be changes hands.
 */
export function shareOf(members: readonly string[], member: string, partitions: number): number {
  const place = members.indexOf(member)
  if (place < 0) return 0
  const least = Math.floor(partitions / members.length)
  return place < partitions % members.length ? least + 1 : least
}
