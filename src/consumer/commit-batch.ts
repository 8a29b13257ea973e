import type { Pool, PoolClient } from 'pg'
import type { Entry } from '#src/bus/bus.ts'
import { type CheckpointMove, moveCheckpoints } from '#src/store/checkpoint.ts'
import { type DeadLetter, insertDeadLetters } from '#src/store/dead-letter.ts'
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

/**
 * A process that is frozen inside a transaction holds the rows that the next owner has to write; after so long without
 * a word from it Postgres ends it.
 */
const IDLE_MS = 3_000

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
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await client.query(
      `begin; set local statement_timeout = ${Math.floor(timeoutMs)}; set local idle_in_transaction_session_timeout = ${IDLE_MS}`,
    )
    const letters = await apply(client)
    if (letters.length > 0) await insertDeadLetters(client, letters)
    const stale = await moveCheckpoints(client, group, moves)
    if (stale.length > 0) throw new StaleOwner(stale)
    await client.query('commit')
    return { moves, letters }
  } catch (error) {
    await client.query('rollback').catch((again: Error) => {
      broken = again
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
