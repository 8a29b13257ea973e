import type { Pool, PoolClient } from 'pg'
import type { Entry } from '#src/bus/bus.ts'
import { type CheckpointMove, moveCheckpoints } from '#src/store/checkpoint.ts'
import { type DeadLetter, insertDeadLetters } from '#src/store/dead-letter.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { Passing } from './disposition.ts'
import type { OwnedPartition } from './owned-partition.ts'

/** Somebody else owns one of the partitions, or has committed these entries. A lost race: the consumer looks and goes on. */
export class StaleOwner extends Passing {
  readonly partitions: readonly number[]

  constructor(partitions: readonly number[]) {
    super(`the checkpoints of partitions ${partitions.join(', ')} were moved by another owner`)
    this.partitions = partitions
  }
}

/** What one transaction did. */
export interface Committed {
  readonly moves: readonly CheckpointMove[]
  readonly letters: readonly DeadLetter[]
}

/**
 * Runs `apply` and moves the checkpoints of the entries' partitions in one transaction, which also files the dead letters
 * that `apply` returns: all of it, or nothing.
 * @throws StaleOwner when a checkpoint is not where this owner left it
 */
export async function commitBatch(
  pool: Pool,
  group: string,
  entries: readonly Entry[],
  owned: ReadonlyMap<number, OwnedPartition>,
  timeoutMs: number,
  apply: (client: PoolClient) => Promise<readonly DeadLetter[]>,
): Promise<Committed> {
  const moves = movesOf(entries, owned)
  return inTransaction(pool, timeoutMs, async (client) => {
    const letters = await apply(client)
    if (letters.length > 0) await insertDeadLetters(client, letters)
    const stale = await moveCheckpoints(client, group, moves)
    if (stale.length > 0) throw new StaleOwner(stale)
    return { moves, letters }
  })
}

function movesOf(entries: readonly Entry[], owned: ReadonlyMap<number, OwnedPartition>): CheckpointMove[] {
  const last = new Map<number, Entry>()
  for (const entry of entries) last.set(entry.partition, entry)
  return [...last.values()].map((entry) => {
    const owner = owned.get(entry.partition)
    if (owner === undefined) throw new StaleOwner([entry.partition])
    const eventCount = entry.firstNumber + entry.lengths.length
    return { partition: entry.partition, epoch: owner.epoch, from: owner.applied, to: entry.id, eventCount }
  })
}
