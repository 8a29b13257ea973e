import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import { comparePositions, type Entry, type EntryId, formatEntryId, idBefore } from '#src/bus/bus.ts'
import type { Commit } from '#src/bus/commits.ts'
import { GroupGone, type GroupReader } from '#src/bus/group-reader.ts'
import type { Log } from '#src/log.ts'
import { type Checkpoint, readCheckpoints, takeCheckpoint } from '#src/store/checkpoint.ts'
import type { Loss } from '#src/store/loss.ts'
import { createBatchWriter } from './batch-writer.ts'
import { EntryBuffer } from './buffer.ts'
import { StaleOwner } from './commit-batch.ts'
import type { GroupHandler } from './handler.ts'
import { createLossLedger } from './loss-ledger.ts'
import { advance, BEGINNING, isOld, missingBefore, type OwnedPartition, rewind } from './owned-partition.ts'
import { type Ownership, RENEW_MS } from './ownership.ts'
import { SUSPECT_DELIVERIES } from './suspects.ts'

/** What a consumer needs. */
export interface ConsumerDeps {
  readonly handler: GroupHandler
  readonly reader: GroupReader
  readonly ownership: Ownership
  readonly pool: Pool
  /** Acknowledges what is committed, and tells whoever waits. */
  readonly announce: (commits: readonly Commit[]) => Promise<void>
  readonly log: Log
  /** Most events of one transaction. */
  readonly batchEvents: number
  /** How long the first entry of a batch may wait for company. */
  readonly lingerMs: number
  /** Most milliseconds for one statement. */
  readonly timeoutMs: number
  readonly onCommit?: (events: number, seconds: number) => void
  readonly onDeadLetters?: (group: string, count: number) => void
  /** Told of losses that were not known before, once they are in the ledger. */
  readonly onLosses?: (losses: readonly Loss[]) => void
}

/** How a consumer is doing. */
export interface ConsumerHealth {
  readonly owned: readonly number[]
  /** Time of the last commit, or of the last look that found nothing to do; epoch milliseconds. */
  readonly aliveMs: number
  /** What stops it, in words; null when nothing does. */
  readonly trouble: string | null
}

export interface GroupConsumer {
  start(): void
  /** Finishes the batch under way, commits it, hands its partitions over. */
  stop(): Promise<void>
  health(): ConsumerHealth
}

const BLOCK_MS = 500
const READ_BYTES = 4 * 1024 * 1024
const BUFFER_BYTES = 32 * 1024 * 1024
const PENDING_COUNT = 64
/** How often somebody's wish to replay dead letters is looked for; one look into an index that is nearly always empty. */
const REPLAY_EVERY_MS = 1_000
const LOOK_BEHIND_MS = 1_000
const LEAST_BATCH_EVENTS = 50
const BACK_OFF_MS = { first: 50, most: 2_000 }

/**
 * Reads a group's partitions, applies them and acknowledges, with reading and writing side by side: what arrives while a
 * transaction runs makes the next one larger, so batches grow with the load by themselves.
 */
export function createConsumer(deps: ConsumerDeps): GroupConsumer {
  const { handler, reader, ownership, pool, log } = deps
  const owned = new Map<number, OwnedPartition>()
  const buffer = new EntryBuffer(deps.batchEvents * 2, BUFFER_BYTES)
  const writer = createBatchWriter({ ...deps, owned, onDeadLetters: deps.onDeadLetters ?? (() => {}) })
  const ledger = createLossLedger(pool, log, deps.onLosses ?? (() => {}))
  const stopping = new AbortController()
  let era = 0 // raised by every rewind: what was read in an earlier one is not used, it is pending and comes again
  let writing: Promise<void> = Promise.resolve()
  let announcing: Promise<void> = Promise.resolve()
  let aliveMs = Date.now()
  let trouble: string | null = null
  let batchEvents = deps.batchEvents // less after a transaction that took too long
  let loops: Promise<unknown> = Promise.resolve()

  function rewindAll(): void {
    era++
    buffer.drop()
    for (const partition of owned.values()) rewind(partition)
  }

  /** Makes Redis agree with the checkpoint, and says so where it had lost something. */
  async function ensure(partition: number, { position, eventCount }: Checkpoint): Promise<void> {
    const { loss } = await reader.ensure(partition, position, eventCount)
    if (loss !== null) ledger.add(loss)
  }

  function reportLoss(
    { partition }: OwnedPartition,
    fromExclusive: EntryId,
    toInclusive: EntryId,
    cause: 'trimmed' | 'missing',
    counts: { readonly entries?: number; readonly events?: number },
  ): void {
    const detail = cause === 'trimmed' ? 'pending entries were removed from the stream' : 'running numbers are skipped'
    ledger.add({ group: handler.group, partition, fromExclusive, toInclusive, cause, detail, ...counts })
  }

  async function gain(partition: number): Promise<void> {
    const checkpoint = await takeCheckpoint(pool, handler.group, partition)
    await ensure(partition, checkpoint)
    await writer.learnBlocked(partition)
    const { position, eventCount, epoch } = checkpoint
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
    await writing.catch(() => {})
  }

  async function balance(): Promise<void> {
    const { gained, lost, surplus } = await ownership.balance(new Set(owned.keys()))
    for (const partition of lost) await lose(partition)
    for (const partition of surplus) {
      await lose(partition)
      await ownership.release(partition)
    }
    for (const partition of gained) await gain(partition)
  }

  /**
   * One read: first what was delivered before, then what is new. True when it put something into the buffer; a rewind
   * must not come between the reading and that, or entries would stand in the buffer without those before them.
   */
  async function fetch(): Promise<boolean> {
    for (const partition of owned.values()) {
      if (partition.mode === 'pending') return await fetchPending(partition)
    }
    const began = era
    const entries = await reader.readNew([...owned.keys()], READ_BYTES, BLOCK_MS)
    await acknowledgeApplied(entries)
    if (began !== era) return false
    return keep(
      entries.filter((entry) => {
        const partition = owned.get(entry.partition)
        if (partition === undefined || partition.mode === 'pending' || isOld(partition, entry)) return false
        if (missingBefore(partition, entry) > 0) {
          // Somebody who thinks that he still owns the partition has read in between: what he got is pending.
          partition.mode = 'pending'
          partition.cursor = partition.read
          return false
        }
        advance(partition, entry)
        return true
      }),
    )
  }

  function keep(entries: readonly Entry[]): boolean {
    if (entries.length > 0) buffer.push(entries)
    return entries.length > 0
  }

  /** What is delivered as new though it is applied comes of a group that was set back: it would stay pending for ever. */
  async function acknowledgeApplied(entries: readonly Entry[]): Promise<void> {
    const applied = Map.groupBy(
      entries.filter(({ partition, id }) => comparePositions(id, owned.get(partition)?.applied ?? BEGINNING) <= 0),
      ({ partition }) => partition,
    )
    for (const [partition, old] of applied)
      await deps.announce([{ partition, ids: old.map(({ id }) => formatEntryId(id)), done: 0, generation: '' }])
  }

  async function fetchPending(partition: OwnedPartition): Promise<boolean> {
    const began = era
    const { entries, gone, deliveries } = await reader.readPending(partition.partition, partition.cursor, PENDING_COUNT)
    const isPast = () => began !== era || owned.get(partition.partition) !== partition
    if (isPast()) return false
    if (entries.length + gone.length === 0) {
      partition.mode = 'new'
      partition.inherited = false
      return false
    }
    const seen = [...entries.map(({ id }) => id), ...gone].sort(comparePositions)
    const applied = seen.filter((id) => comparePositions(id, partition.applied) <= 0)
    const lost = gone.filter((id) => comparePositions(id, partition.applied) > 0)
    for (const id of lost) reportLoss(partition, idBefore(id), id, 'trimmed', { entries: 1 })
    const done = [...applied, ...lost].map(formatEntryId)
    if (done.length > 0) await deps.announce([{ partition: partition.partition, ids: done, done: 0, generation: '' }])
    if (isPast()) return false
    partition.cursor = seen.at(-1) ?? partition.cursor
    const fresh = entries.filter((entry) => !isOld(partition, entry))
    const suspects = fresh.filter((entry) => (deliveries[entries.indexOf(entry)] ?? 0) >= SUSPECT_DELIVERIES)
    if (partition.inherited && suspects.length > 0) writer.suspect(partition.partition, suspects)
    for (const entry of fresh) {
      const missing = missingBefore(partition, entry)
      if (missing > 0) reportLoss(partition, partition.read, idBefore(entry.id), 'missing', { events: missing })
      advance(partition, entry)
    }
    return keep(fresh)
  }

  /**
   * A process that thinks it still owns a partition may read once more from it. What it was given is pending, and where
   * nothing follows it no gap shows it; so the owner looks, behind what it has read itself.
   */
  function lookBehind(): void {
    for (const partition of owned.values()) {
      if (partition.mode === 'pending') continue
      partition.mode = 'pending'
      partition.cursor = partition.read
    }
  }

  async function readLoop(): Promise<void> {
    let balancedAt = 0
    let lookedAt = Date.now()
    while (!stopping.signal.aborted) {
      if (Date.now() - balancedAt >= RENEW_MS) {
        await balance()
        balancedAt = Date.now()
      }
      if (owned.size === 0 || buffer.full) {
        await (owned.size === 0
          ? sleep(RENEW_MS / 2, undefined, { signal: stopping.signal })
          : buffer.changed(RENEW_MS))
        continue
      }
      if (Date.now() - lookedAt >= LOOK_BEHIND_MS) {
        lookBehind()
        lookedAt = Date.now()
      }
      if (!(await fetch()) && buffer.events === 0 && [...owned.values()].every(({ mode }) => mode === 'new')) {
        aliveMs = Date.now() // nothing to do
        trouble = null
      }
    }
  }

  async function writeLoop(): Promise<void> {
    let lookedAt = 0
    while (!stopping.signal.aborted) {
      if (Date.now() - lookedAt > REPLAY_EVERY_MS && owned.size > 0) {
        lookedAt = Date.now()
        await ledger.flush()
        writing = writer.replayRequested().then(() => {})
        await writing
      }
      if (buffer.events === 0) {
        await buffer.changed(BLOCK_MS)
        if (buffer.events > 0 && buffer.events < batchEvents && deps.lingerMs > 0) await sleep(deps.lingerMs)
        continue
      }
      writing = write(buffer.take(batchEvents))
      await writing
    }
  }

  async function write(entries: readonly Entry[]): Promise<void> {
    const mine = entries.filter(({ partition, id }) => {
      const owner = owned.get(partition)
      return owner !== undefined && comparePositions(id, owner.applied) > 0 // read twice: a rewind came while it was written
    })
    if (mine.length === 0) return
    const began = performance.now()
    await writer.write(mine)
    trouble = null
    batchEvents = Math.min(deps.batchEvents, Math.ceil(batchEvents * 1.25))
    aliveMs = Date.now()
    deps.onCommit?.(
      mine.reduce((sum, { lengths }) => sum + lengths.length, 0),
      (performance.now() - began) / 1_000,
    )
    await announcing // at most one acknowledgement is under way beside the next transaction
    announcing = deps.announce(commitsOf(mine)).catch((error: Error) => {
      log.warn({ reason: error.message }, 'committed entries could not be acknowledged; they will be found applied')
      rewindAll()
    })
  }

  /** After any failure: believe Postgres, forget the rest. */
  async function recover(error: unknown): Promise<void> {
    rewindAll()
    if (error instanceof GroupGone)
      log.warn('the consumer group is gone from Redis; making it again at the checkpoints held in Postgres')
    else if (!(error instanceof StaleOwner)) {
      trouble = error instanceof Error ? error.message : String(error)
      if (tookTooLong(error)) batchEvents = Math.max(LEAST_BATCH_EVENTS, Math.floor(batchEvents / 2))
      log.warn({ group: handler.group, reason: trouble }, 'a batch was not applied; trying again')
    }
    const checkpoints = new Map(
      (await readCheckpoints(pool, handler.group)).map((checkpoint) => [checkpoint.partition, checkpoint]),
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
    for (const { partition } of kept) await ensure(partition, checkpoints.get(partition) as Checkpoint)
  }

  /**
   * Runs a loop for ever. Whatever fails, it recovers and begins again, more slowly each time; and not before it has
   * recovered, since a Redis that is back may not be the one that went away.
   */
  async function supervise(loop: () => Promise<void>): Promise<void> {
    let waitMs = BACK_OFF_MS.first
    let failure: unknown = null
    while (!stopping.signal.aborted) {
      const began = Date.now()
      try {
        if (failure !== null) await recover(failure)
        failure = null
        await loop()
      } catch (error) {
        if (stopping.signal.aborted) return
        if (Date.now() - began > BACK_OFF_MS.most) waitMs = BACK_OFF_MS.first
        rewindAll()
        failure = error
        await sleep(waitMs, undefined, { signal: stopping.signal }).catch(() => {})
        waitMs = Math.min(BACK_OFF_MS.most, waitMs * 2)
      }
    }
  }

  return {
    start() {
      loops = Promise.all([supervise(readLoop), supervise(writeLoop)])
    },
    async stop() {
      stopping.abort()
      await loops
      await writing.catch(() => {})
      await announcing
      await ownership.leave(owned.keys()).catch(() => {}) // Redis is away: the leases end by themselves
    },
    health: () => ({ owned: [...owned.keys()].sort((a, b) => a - b), aliveMs, trouble }),
  }
}

/** Postgres ended a statement (57014) or a transaction (25P04) at its limit. */
function tookTooLong(error: unknown): boolean {
  return ['57014', '25P04'].includes(String((error as { code?: unknown } | null)?.code))
}

function commitsOf(entries: readonly Entry[]): Commit[] {
  const commits = new Map<number, { partition: number; ids: string[]; done: number; generation: string }>()
  for (const { partition, id, firstNumber, lengths, generation } of entries) {
    const commit = commits.get(partition) ?? { partition, ids: [], done: 0, generation }
    commit.ids.push(formatEntryId(id))
    commit.done = firstNumber + lengths.length
    commit.generation = generation
    commits.set(partition, commit)
  }
  return [...commits.values()]
}
