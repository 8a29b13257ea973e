import type { Pool } from 'pg'
import type { Entry } from '#src/bus/bus.ts'
import { type CheckpointMove, moveCheckpoints } from '#src/store/checkpoint.ts'
import type { GroupHandler } from './handler.ts'
import type { OwnedPartition } from './owned-partition.ts'

/** Somebody else owns one of the partitions, or has committed these entries. A lost race: the consumer looks and goes on. */
export class StaleOwner extends Error {
  readonly partitions: readonly number[]

  constructor(partitions: readonly number[]) {
    super(`the checkpoints of partitions ${partitions.join(', ')} were moved by another owner`)
    this.partitions = partitions
  }
}

/**
 * Applies entries and moves the checkpoints of their partitions in one transaction: all of it, or nothing.
 * @throws StaleOwner when a checkpoint is not where this owner left it
 */
export async function commitBatch(
  pool: Pool,
  handler: GroupHandler,
  entries: readonly Entry[],
  owned: ReadonlyMap<number, OwnedPartition>,
  timeoutMs: number,
): Promise<CheckpointMove[]> {
  const moves = movesOf(entries, owned)
  await handler.prepare?.(entries)
  const client = await pool.connect()
  let broken = false
  try {
    await client.query(`begin; set local statement_timeout = ${Math.floor(timeoutMs)}`)
    await handler.apply(client, entries)
    const stale = await moveCheckpoints(client, handler.group, moves)
    if (stale.length > 0) throw new StaleOwner(stale)
    await client.query('commit')
    return moves
  } catch (error) {
    await client.query('rollback').catch(() => {
      broken = true
    })
    throw error
  } finally {
    client.release(broken)
  }
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
