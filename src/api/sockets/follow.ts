/**
 * Joins the log and the live events by position, so that a subscriber gets every event once. It listens first; then it
 * waits until the log has all that came before it listened, takes the log's end as the seam, sends what the log has up
 * to the seam, and of the live events those behind it.
 */
import type { WebSocket } from 'ws'
import { comparePositions, type Entry, type EntryId } from '#src/bus/index.ts'
import type { Gap, Tail, TailListener } from '#src/bus/tail.ts'
import { type Criteria, compileFilter } from '#src/events/filter.ts'
import type { Log } from '#src/log.ts'
import type { Metrics } from '#src/metrics.ts'
import { type BackfillPage, type GapPage, readBackfill, readGap } from '#src/store/event-backfill.ts'
import { type EventPosition, LAST_INDEX } from '#src/store/event-position.ts'
import type { StoredEvent } from '#src/store/event-query/columns.ts'
import type { Store } from '#src/store/pool.ts'
import { CLOSE, closeSocket } from './closing.ts'
import type { SocketLimits } from './limits.ts'
import { eventFrame, liveEventsOf } from './live-event.ts'
import type { LogProgress } from './log-progress.ts'
import { throughOutage } from './outage.ts'
import { Outbox } from './outbox.ts'
import type { Wanted } from './subscription-frame.ts'
import type { WaitingTotal } from './waiting-total.ts'

/** Where events come from. */
export interface LiveSource {
  readonly tail: Tail
  readonly store: Store
  readonly progress: LogProgress
}

export interface FollowOptions {
  readonly limits: SocketLimits
  /** For all readers. */
  readonly queued: WaitingTotal
  readonly log: Log
  readonly metrics: Metrics
  /** Aborted when the socket has closed. */
  readonly signal: AbortSignal
}

/** As many as Prefect's server reads at once. */
const PAGE_EVENTS = 250

type Item = LiveItem | { readonly bytes: 0; readonly gap: Gap }
interface LiveItem {
  readonly bytes: number
  readonly partition: number
  readonly id: EntryId
  readonly frame: Buffer
}

/**
 * Sends until the socket closes.
 * @throws StoreUnavailable | BusUnavailable when a server stays away for `outageMs`
 */
export async function follow(
  socket: WebSocket,
  { criteria, backfill }: Wanted,
  source: LiveSource,
  options: FollowOptions,
): Promise<void> {
  const { limits, signal } = options
  const outbox = new Outbox<Item>(socket, limits, options.queued)
  const persistently = <T>(attempt: () => Promise<T>) =>
    throughOutage(attempt, limits.outageMs, () => signal.throwIfAborted())
  const reaches = (positions: readonly EntryId[]) =>
    persistently(() => source.progress.reaches(positions, limits.outageMs, signal))

  const listener = listenFor(criteria, outbox, socket, options.log)
  const subscription = await persistently(() => source.tail.subscribe(listener))
  options.metrics.liveSubscribers.inc()
  try {
    let seam = subscription.from
    if (backfill) {
      seam = await reaches(seam)
      await sendBackfill(seam)
    }
    await sendLive(seam)
  } finally {
    subscription.close()
    options.metrics.liveSubscribers.dec()
  }

  async function sendBackfill(through: readonly EntryId[]): Promise<void> {
    let after: BackfillPage['after'] = null
    do {
      const page: BackfillPage = { criteria, through, after, limit: PAGE_EVENTS }
      const found = await persistently(() => readBackfill(source.store, page))
      await sendAll(found.events)
      after = found.next
    } while (after !== null && outbox.isOpen)
  }

  async function sendLive(seam: readonly EntryId[]): Promise<void> {
    while (outbox.isOpen) {
      const item = outbox.take()
      if (item === undefined) await outbox.news()
      else if ('gap' in item) await fill(item.gap, seam)
      else if (isAfter(item.id, seam[item.partition])) {
        const caughtUp = outbox.send(item.frame)
        if (caughtUp !== undefined) await caughtUp
      }
    }
  }

  /** Sends what the live reader missed, once the log has it, in the order in which it was appended. */
  async function fill({ partition, after, through }: Gap, seam: readonly EntryId[]): Promise<void> {
    const first = seam[partition] ?? after
    let next: EventPosition | null = { ...(isAfter(first, after) ? first : after), index: LAST_INDEX }
    await reaches(seam.map((position, i) => (i === partition ? through : position)))
    while (next !== null && outbox.isOpen) {
      const page: GapPage = { criteria, partition, after: next, through, limit: PAGE_EVENTS }
      const found = await persistently(() => readGap(source.store, page))
      await sendAll(found.events)
      next = found.next
    }
  }

  async function sendAll(events: readonly StoredEvent[]): Promise<void> {
    for (const event of events) {
      const caughtUp = outbox.send(eventFrame(event, event.received))
      if (caughtUp !== undefined) await caughtUp
    }
  }
}

/** Puts what matches into the outbox; when that is full the reader is cut, and comes again for what it has not seen. */
function listenFor(criteria: Criteria, outbox: Outbox<Item>, socket: WebSocket, log: Log): TailListener {
  const matches = compileFilter(criteria)
  const push = (item: Item) => {
    if (!outbox.isOpen || outbox.push(item)) return
    log.warn('a subscriber was cut: it reads more slowly than events come')
    closeSocket(socket, CLOSE.later, 'Too slow: more events wait than are kept for one reader. Connect again.')
  }
  return {
    onEntry(entry: Entry) {
      const { partition, id } = entry
      try {
        for (const event of liveEventsOf(entry)) {
          if (matches(event)) push({ bytes: event.frame.length, partition, id, frame: event.frame })
        }
      } catch (err) {
        log.error({ err, partition, id }, 'an entry of the streams cannot be read')
        closeSocket(socket, CLOSE.fault, 'An event could not be read because of a fault of the server.')
      }
    },
    onGap: (gap) => push({ bytes: 0, gap }),
    onEnd: () => closeSocket(socket, CLOSE.restart, 'The streams were laid out anew. Connect again.'),
  }
}

function isAfter(id: EntryId, position: EntryId | undefined): boolean {
  return position === undefined || comparePositions(id, position) > 0
}
