import type { Pool } from 'pg'
import { type Entry, formatEntryId } from '#src/bus/index.ts'
import type { Log } from '#src/log.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import { type DeadLetter, openKeys, releasedGroups, requestedGroups } from '#src/store/dead-letter.ts'
import { forgetSuspects } from '#src/store/suspect.ts'
import { applyCarefully, withoutBlocked } from './careful.ts'
import { type Committed, commitBatch, StaleOwner } from './commit-batch.ts'
import { dispositionOf } from './disposition.ts'
import type { GroupHandler } from './handler.ts'
import type { OwnedPartition } from './owned-partition.ts'
import { replayLetters } from './replay-letters.ts'
import { createSuspects, type SuspectEntry } from './suspects.ts'

export interface BatchWriterDeps {
  readonly pool: Pool
  /** The pool's, for single statements, each bounded in time. */
  readonly db: Queryable
  readonly handler: GroupHandler
  readonly owned: ReadonlyMap<number, OwnedPartition>
  /** Most milliseconds for one statement. */
  readonly timeoutMs: number
  readonly log: Log
  readonly onDeadLetters: (group: string, count: number) => void
}

/** Commits batches in the fastest way that works: as a whole, else without the events to blame, else one by one. */
export interface BatchWriter {
  /** @throws what says nothing about the events: then nothing of this part is committed, and it may be tried again */
  write(entries: readonly Entry[]): Promise<void>
  /** Learns what waits behind dead letters; to be called when partitions are gained, before anything of them is written. */
  learnBlocked(partitions: readonly number[]): Promise<void>
  /** Replays the dead letters of owned partitions that somebody asked for, and what waited for them. Returns how many went. */
  replayRequested(): Promise<number>
  /** Names entries that may have killed a process; they are applied event by event. */
  suspect(partition: number, suspects: readonly SuspectEntry[]): void
}

/** How often it is looked whether what waits behind dead letters still has to. */
const LEARN_EVERY_MS = 5_000
/** Transactions of replays in a row: new events wait meanwhile, so that those of a key that waits come to an end. */
const MOST_ROUNDS = 50

export function createBatchWriter({
  pool,
  db,
  handler,
  owned,
  timeoutMs,
  log,
  onDeadLetters,
}: BatchWriterDeps): BatchWriter {
  /** Deliveries of what is suspect, by the entry's name. */
  const suspects = new Map<string, number>()
  const deadly = createSuspects(db, handler)
  const blocked = new Map<number, Set<string>>()
  let learnedAt = 0

  async function write(entries: readonly Entry[]): Promise<void> {
    await handler.prepare?.(entries)
    let run: Entry[] = []
    for (const entry of entries) {
      const deliveries = suspects.size === 0 ? undefined : suspects.get(nameOf(entry))
      if (deliveries === undefined) {
        run.push(entry)
        continue
      }
      await writeRun(run)
      run = []
      const { partition } = entry
      const epoch = owned.get(partition)?.epoch
      if (epoch === undefined) throw new StaleOwner([partition])
      const single = await commitBatch(pool, handler.group, [entry], owned, timeoutMs, (client) =>
        deadly.apply(client, { entry, deliveries }, epoch, blocked),
      )
      finish(single)
      suspects.delete(nameOf(entry))
      await forgetSuspects(db, { group: handler.group, partition, epoch, ...entry.id })
    }
    await writeRun(run)
  }

  async function writeRun(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return
    try {
      finish(
        await commitBatch(pool, handler.group, entries, owned, timeoutMs, async (client) => {
          const { free, letters } = withoutBlocked(entries, handler, blocked)
          return free.length === 0 ? letters : [...letters, ...(await handler.apply(client, free))]
        }),
      )
    } catch (error) {
      if (dispositionOf(error) === 'retry') throw error
      log.info(
        { group: handler.group, reason: (error as Error).message },
        'a batch holds an event that was refused; applying it in parts',
      )
      finish(
        await commitBatch(pool, handler.group, entries, owned, timeoutMs, (client) =>
          applyCarefully(client, handler, entries, blocked),
        ),
      )
    }
  }

  function finish({ moves, letters }: Committed): void {
    for (const move of moves) {
      const partition = owned.get(move.partition)
      if (partition === undefined) continue
      partition.applied = move.to
      partition.eventCount = move.eventCount
    }
    for (const { group, position, reason } of letters)
      log.warn({ group, position, reason }, 'set aside as a dead letter')
    for (const [group, own] of Map.groupBy(letters, ({ group }) => group)) onDeadLetters(group, own.length)
    if (letters.length > 0) handler.filed?.(letters)
  }

  async function learnBlocked(partitions: readonly number[]): Promise<void> {
    const open = handler.order === 'strict' ? await openKeys(db, [handler.group], partitions) : []
    for (const partition of partitions)
      blocked.set(partition, new Set(open.filter((key) => key.partition === partition).map(({ key }) => key)))
    await handler.learn?.(partitions)
    learnedAt = Date.now()
  }

  async function replayRequested(): Promise<number> {
    const parts = [handler, ...(handler.parts ?? [])]
    const names = parts.map(({ group }) => group)
    // Somebody may have discarded what others wait behind.
    const learns = Date.now() - learnedAt > LEARN_EVERY_MS
    const due = await requestedGroups(db, names)
    if (learns) for (const group of await releasedGroups(db, names, [...owned.keys()])) due.add(group)
    const [settled, failed]: [string[], DeadLetter[]] = [[], []]
    for (const part of parts.filter(({ group }) => due.has(group)))
      for (let round = 0, went = true; went && round < MOST_ROUNDS; round++) {
        const replayed = await replayLetters(pool, part, handler.group, owned, timeoutMs)
        settled.push(...replayed.settled)
        failed.push(...replayed.letters)
        went = replayed.settled.length > 0
      }
    for (const { group, position, reason } of failed)
      log.warn({ group, position, reason }, 'a dead letter failed again')
    if (settled.length > 0) log.info({ groups: [...due], letters: settled.length }, 'dead letters were replayed')
    if (settled.length + failed.length > 0 || learns) await learnBlocked([...owned.keys()])
    return settled.length
  }

  return {
    write,
    learnBlocked,
    replayRequested,
    suspect(partition, entries) {
      const ids = entries.map(({ entry }) => formatEntryId(entry.id))
      log.warn(
        { group: handler.group, partition, entries: ids.slice(0, 20) },
        'delivered again and again: applied one by one from here',
      )
      for (const { entry, deliveries } of entries) suspects.set(nameOf(entry), deliveries)
    },
  }
}

function nameOf({ partition, id }: Entry): string {
  return `${partition}:${formatEntryId(id)}`
}
