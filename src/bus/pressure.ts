import { BusUnavailable, Overloaded } from '#src/errors.ts'
import type { Log } from '#src/log.ts'
import type { Metrics } from '#src/metrics.ts'
import { createBacklog } from './backlog.ts'
import { type EntryId, idBefore, parseEntryId } from './bus.ts'
import { type Client, primariesOf } from './connection.ts'
import type { Keys } from './keys.ts'
import type { Layout } from './partitioning.ts'

/** Bounds of what may wait in the streams. */
export interface PressureOptions {
  readonly layout: Layout
  /** Durable groups: the one that is furthest behind decides. */
  readonly groups: readonly string[]
  /** From so many events not yet applied, senders are held for a moment. */
  readonly holdBacklogEvents: number
  /** From so many, they are refused. */
  readonly maxBacklogEvents: number
  /** Longest hold. */
  readonly holdMs: number
  /** Told when Redis turns out to have lost what this process had answered for, and no commit of it was heard of. */
  readonly onRolledBack: (lost: RolledBack) => void
  readonly metrics: Metrics
  readonly log: Log
}

/** What Redis had taken, and has no longer. */
export interface RolledBack {
  readonly partition: number
  /** The last entry heard to be persisted; where none was, the one before the last that was answered for. */
  readonly fromExclusive: EntryId
  /** The last entry answered for. */
  readonly toInclusive: EntryId
  readonly events: number
}

/** Whether more may come in. */
export interface Pressure {
  state(): 'open' | 'hold' | 'refuse'
  /** Throws at once when nothing more may come in; looks at numbers already known, so it costs nothing. */
  check(): void
  /**
   * Returns when the sender may go on; holds it while the backlog is long and shrinking.
   * @throws Overloaded with the time after which the backlog will have shrunk, at the measured rate
   */
  admit(): Promise<void>
  /** Told by every append and every commit. */
  appended(partition: number, total: number, entry: string): void
  committed(group: string, partition: number, done: number, lastId?: string): void
  close(): void
}

const LOOK_EVERY_MS = 250
/** Without a commit for this long, waiting is of no use: the backlog is let grow up to its bound. */
const STALLED_MS = 1_000
const MAX_HELD = 2_000
const REFUSE_MEMORY = 0.8
const FULL_MEMORY = 0.95
const RETRY_MS = { least: 1_000, most: 30_000, unknown: 5_000 }

export function createPressure(redis: Client, keys: Keys, options: PressureOptions): Pressure {
  const { metrics, layout, groups } = options
  // By partition: events that this process was told are in, and in the log, and the last entry of them that it knows.
  const answered: Reached[] = []
  const persisted: Reached[] = []
  const held = new Set<() => void>()
  const backlog = createBacklog(
    groups,
    () => layout.current.partitions,
    (group, events) => metrics.backlogEvents.set({ group }, events),
  )
  let memory = 0

  function letGoWhenShort(): void {
    if (backlog.worst().events < options.holdBacklogEvents) for (const letGo of held) letGo()
  }

  function state(): 'open' | 'hold' | 'refuse' {
    const { events } = backlog.worst()
    if (events >= options.maxBacklogEvents || memory >= REFUSE_MEMORY) return 'refuse'
    return events >= options.holdBacklogEvents ? 'hold' : 'open'
  }

  function check(): void {
    if (memory >= FULL_MEMORY)
      throw new BusUnavailable(
        'Redis has used 95 % of its memory; it will take more when the consumers have caught up.',
      )
    if (state() === 'refuse') throw refusal()
    if (held.size >= MAX_HELD) throw refusal()
  }

  function refusal(): Overloaded {
    metrics.refusedRequests.inc({ reason: 'backlog' })
    const { group, events, perSecond } = backlog.worst()
    const excess = Math.max(0, events - options.holdBacklogEvents)
    const wait = perSecond > 0 ? (excess / perSecond) * 1_000 : RETRY_MS.unknown
    const retryAfterMs = Math.min(RETRY_MS.most, Math.max(RETRY_MS.least, Math.round(wait)))
    const why =
      memory >= REFUSE_MEMORY
        ? `Redis has used ${Math.round(memory * 100)} % of its memory`
        : `${events} events wait to be written to Postgres (group ${group})`
    return new Overloaded(`${why}; send the same again in ${Math.ceil(retryAfterMs / 1_000)} s.`, { retryAfterMs })
  }

  async function admit(): Promise<void> {
    check()
    if (state() === 'open' || Date.now() - backlog.worst().lastCommitMs > STALLED_MS) return
    metrics.heldRequests.inc()
    await new Promise<void>((resolve) => {
      const letGo = () => {
        clearTimeout(timer)
        held.delete(letGo)
        resolve()
      }
      const timer = setTimeout(letGo, options.holdMs)
      held.add(letGo)
    })
    check()
  }

  /** Redis has fewer events than it had answered for: a flush, a failover to a replica that lagged, an older backup. */
  function rolledBack(partition: number, { events: had, at }: Reached, has: number): void {
    const kept = persisted[partition]
    answered[partition] = { events: has, at: null }
    delete persisted[partition]
    if (at !== null && (kept === undefined || kept.events < had))
      options.onRolledBack({
        partition,
        fromExclusive: kept?.at ?? idBefore(at),
        toInclusive: at,
        events: kept === undefined ? 1 : had - kept.events,
      })
    options.log.error({ partition, had, has }, 'Redis lost events that it had taken; those not persisted yet are gone')
  }

  /** Looks for itself: announcements can be missed, and nobody appends while everybody is refused. */
  async function look(): Promise<void> {
    const before = [...answered]
    const all = Array.from({ length: layout.current.partitions }, (_, i) => i)
    const names = groups.map((group) => `done:${group}`)
    const counts = await Promise.all(all.map((i) => redis.hmget(keys.state(i), 'count', ...names)))
    counts.forEach(([count, ...applied], i) => {
      const has = Number(count ?? 0)
      backlog.looked(
        i,
        has,
        applied.map((done) => (done === null ? null : Number(done))),
      )
      const had = before[i]
      if (had !== undefined && has < had.events) rolledBack(i, had, has)
    })
    const infos = await Promise.all(primariesOf(redis).map((primary) => primary.info('memory')))
    memory = Math.max(0, ...infos.map(usedPart)) // of a cluster, the node with the least room
    letGoWhenShort()
  }

  let looking = false
  const timer = setInterval(() => {
    if (looking || redis.status !== 'ready') return
    looking = true
    look()
      .catch((error: Error) => options.log.debug({ reason: error.message }, 'could not look at the backlog'))
      .finally(() => {
        looking = false
      })
  }, LOOK_EVERY_MS)
  timer.unref()

  const unwatch = metrics.queues.watch('held', () => ({ items: held.size }))
  return {
    state,
    check,
    admit,
    appended(partition, total, entry) {
      reach(answered, partition, total, entry)
      backlog.appended(partition, total)
    },
    committed(group, partition, done, lastId = '') {
      reach(persisted, partition, done, lastId)
      backlog.committed(group, partition, done)
      letGoWhenShort()
    },
    close() {
      clearInterval(timer)
      unwatch()
      for (const letGo of held) letGo()
    },
  }
}

interface Reached {
  readonly events: number
  readonly at: EntryId | null
}

function reach(places: Reached[], partition: number, events: number, entry: string): void {
  const before = places[partition]
  if (before !== undefined && before.events >= events) return
  places[partition] = { events, at: entry === '' ? (before?.at ?? null) : parseEntryId(entry) }
}

/**
 * How much of a server's memory is used, from 0 to 1. It bounds the bytes that wait, as large as events may be. A server
 * without a bound of its own has that of its machine, where it dies of what it is not refused.
 */
export function usedPart(info: string): number {
  const used = Number(/^used_memory:(\d+)/m.exec(info)?.[1] ?? 0)
  const bound = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0)
  const most = bound > 0 ? bound : Number(/^total_system_memory:(\d+)/m.exec(info)?.[1] ?? 0)
  return most > 0 ? used / most : 0
}
