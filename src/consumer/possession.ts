import { comparePositions } from '#src/bus/bus.ts'
import { type BusLoss, NotOwner } from '#src/bus/ensure.ts'
import type { GroupReader } from '#src/bus/group-reader.ts'
import { type Checkpoint, passOver, type Queryable, readCheckpoints, takeCheckpoint } from '#src/store/checkpoint.ts'
import type { EntryBuffer } from './buffer.ts'
import { StaleOwner } from './commit-batch.ts'
import type { LossLedger } from './loss-ledger.ts'
import { BEGINNING, type OwnedPartition, rewind } from './owned-partition.ts'
import type { Ownership } from './ownership.ts'

export interface PossessionDeps {
  readonly group: string
  readonly db: Queryable
  readonly reader: Pick<GroupReader, 'ensure'>
  readonly ownership: Ownership
  readonly buffer: EntryBuffer
  readonly ledger: LossLedger
  /** Called for each partition gained, before anything of it is read. */
  readonly onGain: (partition: number) => Promise<void>
  /** Resolves when no transaction is under way. */
  readonly quiet: () => Promise<void>
}

/** What this process owns of a group. Postgres says how far each partition is applied; the rest follows from that. */
export interface Possession {
  /** Raised by every rewind: what was read in an earlier era is not used, it is pending and comes again. */
  era(): number
  /** Goes back to what is committed, everywhere. */
  rewind(): void
  /** Renews the leases; takes and gives back what the share asks for. */
  balance(): Promise<void>
  /** Believes Postgres, forgets the rest: keeps what is still ours, as far as it is committed, and gives up what isn't. */
  recover(): Promise<void>
}

/** @param owned filled and emptied here, and read by everybody else */
export function createPossession(owned: Map<number, OwnedPartition>, deps: PossessionDeps): Possession {
  const { group, db, reader, ownership, buffer, ledger, onGain, quiet } = deps
  let era = 0
  let recovering: Promise<void> = Promise.resolve()

  function rewindAll(): void {
    era++
    buffer.drop()
    for (const partition of owned.values()) rewind(partition)
  }

  /**
   * Makes Redis agree with the checkpoint, and says so where it had lost something. Returns the checkpoint as it is then:
   * where another event comes next than the one that was to come, it says so, so that no hole is found twice; and it stands
   * where this life of the stream begins at least, so that it can be told from one of a later life.
   * @throws StaleOwner when the partition went to another owner since the checkpoint was read
   */
  async function ensure(checkpoint: Checkpoint): Promise<Checkpoint> {
    const { partition, position, eventCount, epoch } = checkpoint
    const onLoss = (loss: BusLoss) => {
      ledger.add(loss, epoch)
      return ledger.flush()
    }
    const options = { owner: ownership.member, onLoss }
    const { nextNumber, standing } = await reader.ensure(partition, position, eventCount, options).catch((error) => {
      throw error instanceof NotOwner ? new StaleOwner([partition]) : error
    })
    const number = nextNumber ?? eventCount
    if (number === eventCount && comparePositions(standing, position) === 0) return checkpoint
    const stale = await passOver(db, group, [{ partition, epoch, position: standing, eventCount: number }])
    if (stale.length > 0) throw new StaleOwner(stale)
    return { ...checkpoint, position: standing, eventCount: number }
  }

  async function gain(partition: number): Promise<void> {
    const { position, eventCount, epoch } = await ensure(await takeCheckpoint(db, group, partition))
    await onGain(partition)
    owned.set(partition, {
      partition,
      epoch,
      applied: position,
      eventCount,
      read: position,
      mode: 'pending',
      cursor: BEGINNING,
      inherited: true,
      next: null,
    })
  }

  /** Stops using a partition; what was read of it stays pending for the next owner. */
  async function lose(partition: number): Promise<void> {
    owned.delete(partition)
    buffer.drop(partition)
    await quiet()
  }

  async function recover(): Promise<void> {
    // A transaction that commits behind this reading would make its checkpoint look older than what is acknowledged.
    await quiet()
    const checkpoints = new Map(
      (await readCheckpoints(db, group)).map((checkpoint) => [checkpoint.partition, checkpoint]),
    )
    const mine = [...owned.values()]
    const kept = mine.filter(({ partition, epoch }) => checkpoints.get(partition)?.epoch === epoch)
    for (const partition of kept) {
      const { position, eventCount } = checkpoints.get(partition.partition) as Checkpoint
      partition.applied = position
      partition.eventCount = eventCount
    }
    rewindAll() // once more: the other loop has gone on meanwhile
    for (const partition of mine) if (!kept.includes(partition)) await lose(partition.partition)
    for (const partition of kept) {
      if (owned.get(partition.partition) !== partition) continue // the other loop has lost it meanwhile
      try {
        const { position, eventCount } = await ensure(checkpoints.get(partition.partition) as Checkpoint)
        const order = comparePositions(position, partition.applied)
        if (order < 0) continue // the other loop has passed over more
        partition.eventCount = eventCount
        if (order === 0) continue
        partition.applied = position
        rewindAll() // what the other loop has read since is in the buffer, and comes again
      } catch (error) {
        if (!(error instanceof StaleOwner)) throw error
        await lose(partition.partition) // with a Redis that was emptied leases are gone as well; they are taken again
      }
    }
  }

  return {
    era: () => era,
    rewind: rewindAll,
    async balance() {
      const { gained, lost, surplus } = await ownership.balance(new Set(owned.keys()))
      for (const partition of lost) await lose(partition)
      for (const partition of surplus) {
        await lose(partition)
        await ownership.release(partition)
      }
      for (const partition of gained) await gain(partition)
    },
    recover() {
      recovering = recovering.then(recover, recover) // one at a time: each goes by checkpoints that it has read
      return recovering
    },
  }
}
