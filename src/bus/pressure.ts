import { BusUnavailable, Overloaded } from '#src/errors.ts'
import type { Log } from '#src/log.ts'
import type { Metrics } from '#src/metrics.ts'
import { type Client, primariesOf } from './connection.ts'
import type { Keys } from './keys.ts'
import type { Layout } from './partitioning.ts'

/** Bounds of what may wait in the streams. */
export interface PressureOptions {
  readonly layout: Layout
  readonly group: string
  /** From so many events not yet applied, senders are held for a moment. */
  readonly holdBacklogEvents: number
  /** From so many, they are refused. */
  readonly maxBacklogEvents: number
  /** Longest hold. */
  readonly holdMs: number
  readonly metrics: Metrics
  readonly log: Log
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
  appended(partition: number, total: number, backlog: number): void
  committed(partition: number, done: number): void
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
  const { metrics, layout } = options
  // By partition; a partition that is no more has nothing waiting when it goes.
  const total: number[] = []
  const done: number[] = []
  const answered: number[] = [] // events that this process was told are in
  const held = new Set<() => void>()
  const drain = createRate()
  let backlog = 0
  let memory = 0
  let lastCommitMs = 0

  function recount(): void {
    backlog = 0
    for (let i = 0; i < layout.current.partitions; i++) backlog += Math.max(0, (total[i] ?? 0) - (done[i] ?? 0))
    metrics.backlogEvents.set({ group: options.group }, backlog)
    if (backlog < options.holdBacklogEvents) for (const letGo of held) letGo()
  }

  function state(): 'open' | 'hold' | 'refuse' {
    if (backlog >= options.maxBacklogEvents || memory >= REFUSE_MEMORY) return 'refuse'
    return backlog >= options.holdBacklogEvents ? 'hold' : 'open'
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
    const rate = drain.perSecond()
    const excess = Math.max(0, backlog - options.holdBacklogEvents)
    const wait = rate > 0 ? (excess / rate) * 1_000 : RETRY_MS.unknown
    const retryAfterMs = Math.min(RETRY_MS.most, Math.max(RETRY_MS.least, Math.round(wait)))
    const why =
      memory >= REFUSE_MEMORY
        ? `Redis has used ${Math.round(memory * 100)} % of its memory`
        : `${backlog} events wait to be written to Postgres`
    return new Overloaded(`${why}; send the same again in ${Math.ceil(retryAfterMs / 1_000)} s.`, { retryAfterMs })
  }

  async function admit(): Promise<void> {
    check()
    if (state() === 'open' || Date.now() - lastCommitMs > STALLED_MS) return
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
  function rolledBack(partition: number, had: number, has: number): void {
    answered[partition] = has
    options.log.error({ partition, had, has }, 'Redis lost events that it had taken; those not persisted yet are gone')
  }

  /** Looks for itself: announcements can be missed, and nobody appends while everybody is refused. */
  async function look(): Promise<void> {
    const before = [...answered]
    const all = Array.from({ length: layout.current.partitions }, (_, i) => i)
    const counts = await Promise.all(all.map((i) => redis.hmget(keys.state(i), 'count', `done:${options.group}`)))
    counts.forEach(([count, applied], i) => {
      const has = Number(count ?? 0)
      total[i] = has
      done[i] = Number(applied ?? 0)
      if (has < (before[i] ?? 0)) rolledBack(i, before[i] ?? 0, has)
    })
    const infos = await Promise.all(primariesOf(redis).map((primary) => primary.info('memory')))
    memory = Math.max(0, ...infos.map(usedPart)) // of a cluster, the node with the least room
    recount()
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

  return {
    state,
    check,
    admit,
    appended(partition, count, behind) {
      answered[partition] = Math.max(answered[partition] ?? 0, count)
      total[partition] = count
      done[partition] = count - behind
      recount()
    },
    committed(partition, applied) {
      const before = done[partition] ?? 0
      drain.add(Math.max(0, applied - before))
      lastCommitMs = Date.now()
      done[partition] = Math.max(before, applied) // 0 comes with what was found applied already
      recount()
    },
    close() {
      clearInterval(timer)
      for (const letGo of held) letGo()
    },
  }
}

/** How much of a server's memory is used, from 0 to 1; 0 where it has no bound. */
function usedPart(info: string): number {
  const used = Number(/^used_memory:(\d+)/m.exec(info)?.[1] ?? 0)
  const most = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0)
  return most > 0 ? used / most : 0
}

/** A rate over the last few seconds. */
function createRate() {
  let windowStart = Date.now()
  let events = 0
  let rate = 0
  return {
    add(count: number): void {
      events += count
      const elapsed = Date.now() - windowStart
      if (elapsed < 1_000) return
      rate = rate === 0 ? (events / elapsed) * 1_000 : rate * 0.5 + (events / elapsed) * 1_000 * 0.5
      events = 0
      windowStart = Date.now()
    },
    perSecond: () => (Date.now() - windowStart > 10_000 ? 0 : rate),
  }
}
