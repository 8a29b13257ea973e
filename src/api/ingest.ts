/** The door: checks what comes in, lets in what the streams can hold, and answers when it is as durable as was asked. */
import type { Producer, Unseen } from '#src/bus/index.ts'
import { type EventBatch, parseEventFrames } from '#src/events/batch.ts'
import type { EncodedEvent } from '#src/events/encode.ts'
import type { Limits, Verdict } from '#src/events/event.ts'
import { StoreUnavailable } from '../errors.ts'
import type { Door, Metrics } from '../metrics.ts'
import type { Rejected, Ingest as SocketIngest } from './ingest-port.ts'
import { within } from './within.ts'

/** `appended`: in Redis, as durable as its AOF makes it. `persisted`: committed in Postgres. */
export type Ack = 'appended' | 'persisted'

export interface IngestNeeds {
  readonly producer: Producer
  readonly limits: Limits
  readonly metrics: Metrics
  readonly nowMs: () => number
  /** Ids of those events that the log has not had lately, at whatever time they occurred. */
  readonly unseen: Unseen
  /** Ids of those that are neither in the log nor set aside by the persister. @param repeated appended before, by id */
  readonly undecided: (events: readonly EncodedEvent[], repeated: ReadonlySet<string>) => Promise<ReadonlySet<string>>
  /** The number of partitions changed a short while ago. */
  readonly idsMayHaveMoved: () => boolean
  /** How long a sender waits for `persisted`; 15 s unless said otherwise. */
  readonly confirmWithinMs?: number
}

export interface Ingest extends SocketIngest {
  readonly limits: Limits
  /** Throws before anything is read when nothing more may come in. @throws Overloaded | BusUnavailable */
  check(): void
  /**
   * Takes the good events of a batch; its verdicts then say which were duplicates.
   * @throws Overloaded when nothing was taken
   * @throws BusUnavailable when some may have been; taking them again does no harm
   * @throws StoreUnavailable with `persisted`, when they are in Redis and Postgres does not confirm them in time
   */
  take(batch: EventBatch, door: Door, ack: Ack): Promise<readonly Verdict[]>
}

const CONFIRM_WITHIN_MS = 15_000
const ANNOUNCED_WITHIN_MS = 1_000
const LOOK_EVERY_MS = 100

export function createIngest(needs: IngestNeeds): Ingest {
  const { producer, limits, metrics, nowMs, confirmWithinMs = CONFIRM_WITHIN_MS } = needs

  async function take(batch: EventBatch, door: Door, ack: Ack): Promise<readonly Verdict[]> {
    if (batch.events.length > 0) {
      await producer.pressure.admit()
      const { events, indices } = await withoutLogged(batch)
      const { duplicates, entries } = await producer.append(events)
      for (const index of duplicates) markDuplicate(batch, indices[index] as number)
      // A duplicate's entry is not known here, so the log itself is asked whether it holds them.
      const known = duplicates.size === 0 && events.length === batch.events.length
      const repeated = new Set([...duplicates].map((index) => (events[index] as EncodedEvent).id))
      if (ack === 'persisted') await confirm(events, repeated, known ? entries : null)
    }
    count(batch.verdicts, door)
    return batch.verdicts
  }

  /**
   * For one dedup window after the number of partitions changed, an id may have been seen in another partition. All that
   * came before the change is in the log, so the log is asked.
   */
  async function withoutLogged(batch: EventBatch): Promise<Pick<EventBatch, 'events' | 'indices'>> {
    if (!needs.idsMayHaveMoved()) return batch
    const unseen = await unseenNow(batch.events)
    const kept = batch.events.flatMap(({ id }, i) => (unseen.has(id) ? [i] : []))
    for (const [i, { id }] of batch.events.entries())
      if (!unseen.has(id)) markDuplicate(batch, batch.indices[i] as number)
    return {
      events: kept.map((i) => batch.events[i] as EncodedEvent),
      indices: kept.map((i) => batch.indices[i] as number),
    }
  }

  /** Not what was so before one more change: they may have been appended since. */
  async function unseenNow(events: readonly EncodedEvent[]): Promise<ReadonlySet<string>> {
    for (;;) {
      const epoch = producer.layoutEpoch()
      const unseen = await needs.unseen(events)
      if (producer.layoutEpoch() === epoch) return unseen
    }
  }

  function count(verdicts: readonly Verdict[], door: Door): void {
    const counts = { accepted: 0, duplicate: 0, invalid: 0, expired: 0 }
    for (const { status } of verdicts) counts[status]++
    for (const [verdict, events] of Object.entries(counts) as [Verdict['status'], number][]) {
      if (events > 0) metrics.events.inc({ door, verdict }, events)
    }
  }

  async function confirm(
    events: readonly EncodedEvent[],
    repeated: ReadonlySet<string>,
    entries: Parameters<Producer['commits']['wait']>[0] | null,
  ): Promise<void> {
    const until = nowMs() + confirmWithinMs
    for (;;) {
      // Commits are announced; an announcement that was missed is made up for by asking the log.
      if (entries === null) await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
      else if (await producer.commits.wait(entries, ANNOUNCED_WITHIN_MS)) return
      // A Postgres that says nothing must not keep the sender for longer than one that says no.
      if (await within(until - nowMs(), areDecided(events, repeated), notConfirmed)) return
      if (nowMs() >= until) throw notConfirmed()
    }
  }

  /** False also while Postgres is away: it may be back before the sender's patience ends. */
  async function areDecided(events: readonly EncodedEvent[], repeated: ReadonlySet<string>): Promise<boolean> {
    try {
      return (await needs.undecided(events, repeated)).size === 0
    } catch (error) {
      if (error instanceof StoreUnavailable) return false
      throw error
    }
  }

  return {
    limits,
    take,
    check: () => producer.pressure.check(),
    pressure: () => producer.pressure.state(),
    takeFrames: (frames) => take(parseEventFrames(frames, limits, nowMs()), 'socket', 'appended'),
    async reject(bodies: readonly Rejected[]) {
      await producer.pressure.admit() // a flood of what is no event fills the streams like any other
      await producer.reject(bodies)
      metrics.deadLetters.inc({ group: 'ingest' }, bodies.length)
    },
  }
}

function notConfirmed(): StoreUnavailable {
  return new StoreUnavailable(
    'The events are in Redis, but Postgres has not confirmed them yet; sending them again does no harm.',
  )
}

function markDuplicate({ verdicts }: EventBatch, at: number): void {
  verdicts[at] = { id: verdicts[at]?.id ?? null, status: 'duplicate' }
}
