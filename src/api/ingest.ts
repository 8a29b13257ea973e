/** The door: checks what comes in, lets in what the streams can hold, and answers when it is as durable as was asked. */
import type { Producer } from '#src/bus/index.ts'
import { type EventBatch, parseEventFrames } from '#src/events/batch.ts'
import type { Limits, Verdict } from '#src/events/event.ts'
import { StoreUnavailable } from '../errors.ts'
import type { Door, Metrics } from '../metrics.ts'
import type { Rejected, Ingest as SocketIngest } from './ingest-port.ts'

/** `appended`: in Redis, as durable as its AOF makes it. `persisted`: committed in Postgres. */
export type Ack = 'appended' | 'persisted'

export interface IngestNeeds {
  readonly producer: Producer
  readonly limits: Limits
  readonly metrics: Metrics
  readonly nowMs: () => number
  /** How many of these events (id and day it occurred on) are not in the log. */
  readonly countMissing: (events: readonly { id: string; occurredMs: number }[]) => Promise<number>
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
const LOOK_EVERY_MS = 250

export function createIngest(needs: IngestNeeds): Ingest {
  const { producer, limits, metrics, nowMs } = needs

  async function take(batch: EventBatch, door: Door, ack: Ack): Promise<readonly Verdict[]> {
    if (batch.events.length > 0) {
      await producer.pressure.admit()
      const { duplicates, entries } = await producer.append(batch.events)
      for (const index of duplicates) {
        const at = batch.indices[index] as number
        batch.verdicts[at] = { id: batch.verdicts[at]?.id ?? null, status: 'duplicate' }
      }
      // A duplicate's entry is not known here, so the log itself is asked whether it holds them.
      if (ack === 'persisted') await confirm(batch, duplicates.size === 0 ? entries : null)
    }
    count(batch.verdicts, door)
    return batch.verdicts
  }

  function count(verdicts: readonly Verdict[], door: Door): void {
    const counts = { accepted: 0, duplicate: 0, invalid: 0, expired: 0 }
    for (const { status } of verdicts) counts[status]++
    for (const [verdict, events] of Object.entries(counts) as [Verdict['status'], number][]) {
      if (events > 0) metrics.events.inc({ door, verdict }, events)
    }
  }

  async function confirm(batch: EventBatch, entries: Parameters<Producer['commits']['wait']>[0] | null): Promise<void> {
    if (entries !== null && (await producer.commits.wait(entries, CONFIRM_WITHIN_MS))) return
    const events = batch.events.map(({ id, occurredMs }) => ({ id, occurredMs }))
    const until = nowMs() + (entries === null ? CONFIRM_WITHIN_MS : 0)
    for (;;) {
      if ((await needs.countMissing(events)) === 0) return
      if (nowMs() >= until)
        throw new StoreUnavailable(
          'The events are in Redis, but Postgres has not confirmed them yet; sending them again does no harm.',
        )
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
    }
  }

  return {
    limits,
    take,
    check: () => producer.pressure.check(),
    pressure: () => producer.pressure.state(),
    takeFrames: (frames) => take(parseEventFrames(frames, limits, nowMs()), 'socket', 'appended'),
    async reject(bodies: readonly Rejected[]) {
      await producer.reject(bodies)
      metrics.deadLetters.inc({ group: 'ingest' }, bodies.length)
    },
  }
}
