import type { Pool } from 'pg'
import { type Entry, formatEntryId } from '#src/bus/index.ts'
import type { Log } from '#src/log.ts'
import { type DeadLetter, openKeys, requestedGroups } from '#src/store/dead-letter.ts'
import { forgetSuspects } from '#src/store/suspect.ts'
import { applyCarefully, withoutBlocked } from './careful.ts'
import { type Committed, commitBatch } from './commit-batch.ts'
import { dispositionOf } from './disposition.ts'
import type { GroupHandler } from './handler.ts'
import type { OwnedPartition } from './owned-partition.ts'
import { replayLetters } from './replay-letters.ts'
import { createSuspects } from './suspects.ts'

export interface BatchWriterDeps {
  readonly pool: Pool
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
  /** Replays the dead letters of owned partitions that somebody asked for. Returns how many went. */
  replayRequested(): Promise<number>
  /** Names entries that may have killed a process; they are applied event by event. */
  suspect(partition: number, entries: readonly Entry[]): void
}

/** How often it is looked whether what waits behind dead letters still has to. */
const LEARN_EVERY_MS = 5_000

export function createBatchWriter({
  pool,
  handler,
  owned,
  timeoutMs,
  log,
  onDeadLetters,
}: BatchWriterDeps): BatchWriter {
  const suspects = new Set<string>()
  const deadly = createSuspects(pool, handler)
  const blocked = new Map<number, Set<string>>()
  let learnedAt = 0

  async function write(entries: readonly Entry[]): Promise<void> {
    await handler.prepare?.(entries)
    let run: Entry[] = []
    for (const entry of entries) {
      if (suspects.size === 0 || !suspects.has(nameOf(entry))) {
        run.push(entry)
        continue
      }
      await writeRun(run)
      run = []
      const single = await commitBatch(pool, handler.group, [entry], owned, timeoutMs, (client) =>
        deadly.apply(client, entry, blocked),
      )
      finish(single)
      suspects.delete(nameOf(entry))
      await forgetSuspects(pool, handler.group, entry.partition, entry.id)
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
    const open = handler.order === 'strict' ? await openKeys(pool, [handler.group], partitions) : []
    for (const partition of partitions)
      blocked.set(partition, new Set(open.filter((key) => key.partition === partition).map(({ key }) => key)))
    await handler.learn?.(partitions)
    learnedAt = Date.now()
  }

  async function replayRequested(): Promise<number> {
    const parts = [handler, ...(handler.parts ?? [])]
    const names = parts.map(({ group }) => group)
    const requested = await requestedGroups(pool, names)
    const [settled, failed]: [string[], DeadLetter[]] = [[], []]
    for (const part of parts.filter(({ group }) => requested.has(group))) {
      const replayed = await replayLetters(pool, part, handler.group, owned, timeoutMs)
      settled.push(...replayed.settled)
      failed.push(...replayed.letters)
    }
    for (const { group, position, reason } of failed)
      log.warn({ group, position, reason }, 'a dead letter failed again')
    if (settled.length > 0) log.info({ groups: [...requested], letters: settled.length }, 'dead letters were replayed')
    // Somebody may have discarded what others wait behind.
    if (settled.length + failed.length > 0 || Date.now() - learnedAt > LEARN_EVERY_MS)
      await learnBlocked([...owned.keys()])
    return settled.length
  }

  return {
    write,
    learnBlocked,
    replayRequested,
    suspect(partition, entries) {
      log.warn(
        { group: handler.group, partition, entries: entries.map(({ id }) => formatEntryId(id)).slice(0, 20) },
        'delivered again and again: applied one by one from here',
      )
      for (const entry of entries) suspects.add(nameOf(entry))
    },
  }
}

function nameOf({ partition, id }: Entry): string {
  return `${partition}:${formatEntryId(id)}`
}
