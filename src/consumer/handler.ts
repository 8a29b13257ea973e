import type { PoolClient } from 'pg'
import type { Entry } from '#src/bus/bus.ts'

/** What a consumer group does with the entries it owns. */
export interface GroupHandler {
  /** Names the group and its checkpoints; never reused for something else. */
  readonly group: string
  /**
   * What later events of a resource do when an earlier one is set aside: `strict`, they wait behind it; `loose`, they go
   * on. What an event's order depends on is its ordering key.
   */
  readonly order: 'strict' | 'loose'
  /**
   * Applies entries, in order for each partition, inside the transaction that moves the checkpoint; it may be called
   * again with the same entries after a failure, and then nothing of the first time remains.
   */
  apply(client: PoolClient, entries: readonly Entry[]): Promise<void>
  /** The same after a failure, where there is a slower way that suffers more; else `apply` is used again. */
  applyCarefully?(client: PoolClient, entries: readonly Entry[]): Promise<void>
  /** Called before each attempt, outside of the transaction. */
  prepare?(entries: readonly Entry[]): Promise<void>
}
