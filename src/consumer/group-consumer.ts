import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import { comparePositions, type Entry, formatEntryId } from '#src/bus/bus.ts'
import type { Commit } from '#src/bus/commits.ts'
import { GroupGone, type GroupReader } from '#src/bus/group-reader.ts'
import type { Log } from '#src/log.ts'
import type { QueueState } from '#src/queue-gauges.ts'
import type { Loss } from '#src/store/loss.ts'
import { promptly } from '#src/store/silence.ts'
import { transactionLimitMs } from '#src/store/transaction.ts'
import { createBatchWriter } from './batch-writer.ts'
import { EntryBuffer } from './buffer.ts'
import { Passing } from './disposition.ts'
import type { GroupHandler } from './handler.ts'
import { createLossLedger } from './loss-ledger.ts'
import type { OwnedPartition } from './owned-partition.ts'
import { type Ownership, RENEW_MS } from './ownership.ts'
import { createPossession } from './possession.ts'
import { createReading } from './reading.ts'

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
  /** Time of the last commit, or of the last look that found nothing to do; epoch milliseconds. Old when it hangs. */
  readonly aliveMs: number
  /** What stops it, in words; null when nothing does. Also that nothing was heard of it for too long. */
  readonly trouble: string | null
}

export interface GroupConsumer {
  start(): void
  /** Finishes the batch under way, commits it, hands its partitions over. */
  stop(): Promise<void>
  health(): ConsumerHealth
  /** Entries read and not written yet. */
  buffered(): QueueState
  /** Losses that Postgres has not taken yet. */
  losses(): QueueState
}

const BUFFER_BYTES = 32 * 1024 * 1024
/** How often somebody's wish to replay dead letters is looked for; one look into an index that is nearly always empty. */
const REPLAY_EVERY_MS = 1_000
/** Within so long it is looked behind each partition once. */
const LOOK_BEHIND_MS = 1_000
const LEAST_BATCH_EVENTS = 50
/** Beyond what a transaction may take, after which a consumer that neither commits nor finds nothing to do hangs. */
const STUCK_MS = 10_000
const BACK_OFF_MS = { first: 50, most: 2_000 }

/**
 * Reads a group's partitions, applies them and acknowledges, with reading and writing side by side: what arrives while a
 * transaction runs makes the next one larger, so batches grow with the load by themselves.
 */
export function createConsumer(deps: ConsumerDeps): GroupConsumer {
  const { handler, ownership, pool, log } = deps
  const { group } = handler
  const owned = new Map<number, OwnedPartition>()
  const buffer = new EntryBuffer(deps.batchEvents * 2, BUFFER_BYTES)
  const db = promptly(pool, deps.timeoutMs)
  const writer = createBatchWriter({ ...deps, db, owned, onDeadLetters: deps.onDeadLetters ?? (() => {}) })
  const ledger = createLossLedger({ ...deps, onRecorded: deps.onLosses ?? (() => {}) })
  const stopping = new AbortController()
  let writing: Promise<void> = Promise.resolve()
  let announcing: Promise<void> = Promise.resolve()
  let aliveMs = Date.now()
  let trouble: string | null = null
  let batchEvents = deps.batchEvents // less after a transaction that took too long
  let loops: Promise<unknown> = Promise.resolve()
  const quiet = () => writing.catch(() => {})
  const possession = createPossession(owned, {
    ...deps,
    db,
    group,
    buffer,
    ledger,
    onGain: (partition) => writer.learnBlocked([partition]),
    quiet,
  })
  const { era, rewind, balance } = possession
  const onSuspects = writer.suspect
  const reading = createReading({ ...deps, group, owned, buffer, era, ledger, onSuspects })

  async function readLoop(): Promise<void> {
    let balancedAt = 0
    let lookedAt = Date.now()
    while (!stopping.signal.aborted) {
      if (Date.now() - balancedAt >= RENEW_MS) {
        await balance()
        balancedAt = Date.now()
      }
      if (owned.size === 0 || buffer.full) {
        if (owned.size === 0) aliveMs = Date.now() // others have them all
        await (owned.size === 0
          ? sleep(RENEW_MS / 2, undefined, { signal: stopping.signal })
          : buffer.changed(RENEW_MS))
        continue
      }
      // One after another, since nothing new is read while behind one of them is looked.
      const due = Math.floor(((Date.now() - lookedAt) / LOOK_BEHIND_MS) * owned.size)
      if (due > 0) {
        reading.lookBehind(due)
        lookedAt = Date.now()
      }
      // No longer than until the leases are due, which is also when it is seen that somebody has left.
      const withinMs = Math.max(1, balancedAt + RENEW_MS - Date.now())
      if (
        !(await reading.fetch(withinMs)) &&
        buffer.events === 0 &&
        [...owned.values()].every(({ mode }) => mode === 'new')
      ) {
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
        continue // it may have been told to stop meanwhile, and what would wake it is over
      }
      if (buffer.events === 0) {
        await buffer.changed(REPLAY_EVERY_MS / 2)
        // Where entries come more seldom than that, it would be for nothing.
        const isLingering = buffer.events < batchEvents && buffer.gapMs < deps.lingerMs
        if (buffer.events > 0 && isLingering) await sleep(deps.lingerMs)
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
      rewind()
    })
  }

  /** After any failure: believe Postgres, forget the rest. */
  async function recover(error: unknown): Promise<void> {
    rewind()
    if (error instanceof GroupGone)
      log.warn('the consumer group is gone from Redis; making it again at the checkpoints held in Postgres')
    else if (!(error instanceof Passing)) {
      trouble = error instanceof Error ? error.message : String(error)
      if (tookTooLong(error)) batchEvents = Math.max(LEAST_BATCH_EVENTS, Math.floor(batchEvents / 2))
      log.warn({ group, reason: trouble }, 'a batch was not applied; trying again')
    }
    await possession.recover()
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
        rewind()
        failure = error
        await sleep(waitMs, undefined, { signal: stopping.signal }).catch(() => {})
        waitMs = Math.min(BACK_OFF_MS.most, waitMs * 2)
      }
    }
  }

  /** The client of Redis and that of Postgres give up by themselves what hangs; this tells of what nobody thought of. */
  function stuck(): string | null {
    const forMs = Date.now() - aliveMs
    if (forMs < transactionLimitMs(deps.timeoutMs) + STUCK_MS) return null
    return `nothing was applied for ${Math.round(forMs / 1_000)} s, nor was it seen that there is nothing to do`
  }

  return {
    start() {
      aliveMs = Date.now()
      loops = Promise.all([supervise(readLoop), supervise(writeLoop)])
    },
    async stop() {
      stopping.abort()
      deps.reader.stop()
      buffer.drop() // wakes whoever waits for it; what was read is pending, for the next owner
      await loops
      await quiet()
      await announcing
      await ledger.flush().catch(() => {}) // Postgres is away
      await ownership.leave().catch(() => {}) // Redis is away: the leases end by themselves
    },
    buffered: () => ({ items: buffer.entries, bytes: buffer.bytes }),
    losses: () => ({ items: ledger.waiting }),
    health: () => ({ owned: [...owned.keys()].sort((a, b) => a - b), aliveMs, trouble: trouble ?? stuck() }),
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
