import { asBusError, type Client } from './connection.ts'
import type { Keys } from './keys.ts'
import { runScript } from './scripts.ts'

/** Who of a group's processes reads which partition. It spreads the work; what makes it safe is the epoch in Postgres. */
export interface Leases {
  /**
   * Says that this process is alive.
   * @param held how many partitions it has
   * @returns the group's live processes, itself among them: those that have more partitions first, then by name
   */
  join(held: number): Promise<readonly string[]>
  /** Takes or renews a partition; false when another process holds it. */
  hold(partition: number): Promise<boolean>
  release(partition: number): Promise<void>
  leave(): Promise<void>
}

/** @param ttlMs after so long without renewal a lease is free, by Redis' clock */
export function createLeases(redis: Client, keys: Keys, group: string, member: string, ttlMs: number): Leases {
  const run = async (name: 'lease' | 'release' | 'join', names: readonly string[], ...args: (string | number)[]) => {
    try {
      return await runScript(redis, name, names, args)
    } catch (error) {
      throw asBusError(error)
    }
  }
  const present = [keys.members(group), keys.held(group)]
  return {
    join: async (held) => (await run('join', present, member, ttlMs, held)) as string[],
    hold: async (partition) => (await run('lease', [keys.lease(partition, group)], member, ttlMs)) === 1,
    release: async (partition) => void (await run('release', [keys.lease(partition, group)], member)),
    leave: async () => void (await run('join', present, member, 0, 0)),
  }
}
