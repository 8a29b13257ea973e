import type { PoolClient } from 'pg'
import type { Entry } from '#src/bus/bus.ts'
import type { DeadLetter } from '#src/store/dead-letter.ts'

/** What a consumer group does with the entries it owns. */
export interface GroupHandler {
  /** Names the group and its checkpoints; never reused for something else. */
  readonly group: string
  /**
   * What later events of a resource do when an earlier one is set aside: `strict`, they wait behind it; `loose`, they go
   * on. What an event's order depends on is its ordering key.
   */
  readonly order: 'strict' | 'loose'
  /** Applying events again that it has applied changes nothing, however long ago that was: they may be replayed to it. */
  readonly idempotent?: true
  /**
   * Applies entries, in order for each partition, inside the transaction that moves the checkpoint; it may be called
   * again with the same entries after a failure, and then nothing of the first time remains.
   * @returns dead letters of parts of it, to be filed in the same transaction
   */
  apply(client: PoolClient, entries: readonly Entry[]): Promise<readonly DeadLetter[]>
  /** The same after a failure, where there is a slower way that suffers more; else `apply` is used again. */
  applyCarefully?(client: PoolClient, entries: readonly Entry[]): Promise<readonly DeadLetter[]>
  /** Takes what has to be held before any row is. Called first in a transaction that locks rows before it applies. */
  enter?(client: PoolClient): Promise<unknown>
  /** Called before each attempt, outside of the transaction. */
  prepare?(entries: readonly Entry[]): Promise<void>
  /** Called when partitions are gained, before anything of them is read, and now and then: dead letters may have gone. */
  learn?(partitions: readonly number[]): Promise<void>
  /**
   * Called in the transaction that takes down losses of the group, before it holds any checkpoint: events that others have
   * may be among them, so what follows from the group's events has to be brought on from the log.
   */
  onLoss?(client: PoolClient, partitions: readonly number[]): Promise<void>
  /** Called with the dead letters that are filed, once they are committed. */
  filed?(letters: readonly DeadLetter[]): void
  /** Parts that set events aside for themselves: each has dead letters under its own name, and applies what is replayed. */
  readonly parts?: readonly GroupHandler[]
}
