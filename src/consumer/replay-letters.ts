import type { Pool } from 'pg'
import type { Entry } from '#src/bus/index.ts'
import { instantOfMs, parseInstant } from '#src/events/instant.ts'
import { decodeRecord } from '#src/events/record.ts'
import { lockCheckpoints } from '#src/store/checkpoint.ts'
import { dayOf } from '#src/store/day-partitions.ts'
import {
  type DeadLetter,
  type DueLetter,
  heldByOlder,
  insertDeadLetters,
  settleReplayed,
  takeDue,
} from '#src/store/dead-letter.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { applyCarefully } from './careful.ts'
import { StaleOwner } from './commit-batch.ts'
import type { GroupHandler } from './handler.ts'
import type { OwnedPartition } from './owned-partition.ts'

/** Bounded, so that a transaction stays short and its bodies small; the rest comes with the next round. */
const LETTERS = 20

/**
 * Applies the dead letters of a handler, in owned partitions, whose replay was asked for or which wait for nothing any more,
 * oldest first, and removes them in the same transaction. One that fails again is kept with its new reason; where the order is strict, later ones of its resource
 * are not tried. Doing it twice does no harm: a letter is gone once it is applied.
 * @param owner the group that owns the partitions: the handler's, or that of which it is a part
 * @throws StaleOwner
 */
export async function replayLetters(
  pool: Pool,
  handler: GroupHandler,
  owner: string,
  owned: ReadonlyMap<number, OwnedPartition>,
  timeoutMs: number,
): Promise<{ settled: readonly string[]; letters: readonly DeadLetter[] }> {
  return inTransaction(pool, timeoutMs, async (client) => {
    const settled: string[] = []
    const letters: DeadLetter[] = []
    await handler.enter?.(client)
    const due = await takeDue(client, handler.group, [...owned.keys()], LETTERS)
    if (due.length === 0) return { settled, letters }
    const mine = new Map([...owned.values()].map(({ partition, epoch }) => [partition, epoch]))
    const stale = await lockCheckpoints(client, owner, mine)
    if (stale.length > 0) throw new StaleOwner(stale)
    const held = handler.order === 'strict' ? await heldByOlder(client, due) : new Set<string>()
    const entries = due.map(entryOf)
    await handler.prepare?.(entries)
    const failing = new Set<string>() // of letters from wherever: a key may have been in another partition
    const blocked = new Map(due.map(({ partition }) => [partition, failing]))
    for (const [i, letter] of due.entries()) {
      if (held.has(letter.id)) continue // until the one before it is replayed or discarded
      const failed = await applyCarefully(client, handler, [entries[i] as Entry], blocked)
      if (failed.length === 0) settled.push(letter.id)
      letters.push(...failed)
    }
    await settleReplayed(client, settled)
    await insertDeadLetters(client, letters)
    return { settled, letters }
  })
}

/** The event as it was delivered. When the server took it is not kept: its entry's time stands for it. */
function entryOf({ partition, ms, seq, index, body }: DueLetter): Entry {
  return {
    partition,
    id: { ms, seq },
    kind: 'events',
    received: instantOfMs(ms).iso,
    firstNumber: 0,
    firstIndex: index,
    days: daysOf(body),
    lengths: [body.length],
    records: body,
    generation: '',
  }
}

function daysOf(body: Buffer): number[] {
  try {
    const occurred = parseInstant(decodeRecord(body).occurred)
    return occurred === null ? [] : [dayOf(occurred.ms)]
  } catch {
    return []
  }
}
