import { asBusError, type Client } from './connection.ts'
import type { Keys } from './keys.ts'
import { runScript } from './scripts.ts'

/** What a trim did. */
export interface Trimmed {
  /** Entries removed. */
  readonly removed: number
  /** Every entry before it may go; empty when there is no stream or no group. */
  readonly safeId: string
  /** The group that needs the oldest entry that is left, so that nothing more may go. */
  readonly heldBy: string
}

/** How far a group has applied a partition, by its checkpoint. */
export interface Applied {
  readonly group: string
  readonly ms: number
  readonly seq: number
}

/** Trims one partition behind the slowest group. @throws BusUnavailable */
export async function trimPartition(
  redis: Client,
  keys: Keys,
  partition: number,
  groups: readonly string[],
  graceMs: number,
  limit: number,
  applied: readonly Applied[],
): Promise<Trimmed> {
  try {
    const checkpoints = applied.flatMap(({ group, ms, seq }) => [group, ms, seq])
    const args = [groups.join(','), graceMs, limit, ...checkpoints]
    const reply = await runScript(redis, 'trim', [keys.stream(partition)], args)
    const [removed, safeId, heldBy] = reply as [number, string, string]
    return { removed, safeId, heldBy }
  } catch (error) {
    throw asBusError(error)
  }
}
