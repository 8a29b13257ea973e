import type { EncodedEvent } from '#src/events/encode.ts'
import type { QueueState } from '#src/queue-gauges.ts'
import { type AppendCallOptions, createAppendCall } from './append-call.ts'
import { awaitLayout, Moved } from './await-layout.ts'
import type { Appender, AppendResult, Unseen } from './bus.ts'
import { asBusError, type Client } from './connection.ts'
import { createGuardedAppends } from './guarded-append.ts'
import type { Keys } from './keys.ts'
import type { Layout, Partitioning } from './partitioning.ts'
import { createTicket, settle, settleFailed, settleKnown, takeBatch, takeRest, type Waiting } from './ticket.ts'

/** What the appender needs beside its connection. */
export interface AppenderOptions extends AppendCallOptions {
  readonly layout: Layout
  readonly unseen?: Unseen | undefined
}

interface Lane {
  readonly queue: Waiting[]
  inFlight: boolean
}

/**
 * Groups appends: while a partition's script is under way, what comes meanwhile waits and goes together in the next one.
 * So one caller pays one round trip, and many share a few. The queue is bounded by what the door lets in: requests, their
 * bodies, and the frames of sockets each have a bound.
 */
export function createAppender(redis: Client, keys: Keys, options: AppenderOptions): Appender {
  const { layout } = options
  const send = createAppendCall(redis, keys, options)
  options.metrics.queues.watch('append', waiting)
  // What partitions are chosen by; the layout may be newer for a moment, and then Redis turns the append back.
  let laid = layout.current
  let lanes = lanesFor(laid)
  let moving: Promise<void> | null = null

  function append(events: readonly EncodedEvent[]): Promise<AppendResult> {
    if (events.length === 0) return Promise.resolve({ duplicates: new Set(), entries: [] })
    return new Promise((resolve, reject) => {
      const ticket = createTicket(events.length, resolve, reject)
      const touched = new Set<number>()
      events.forEach((event, index) => {
        const partition = event.keyHash % lanes.length
        lanes[partition]?.queue.push({ ticket, index, event })
        touched.add(partition)
      })
      for (const partition of touched) void drain(partition)
    })
  }

  function waiting(): QueueState {
    const events = lanes.flatMap(({ queue }) => queue.map(({ event }) => event.record.length))
    return { items: events.length, bytes: events.reduce((sum, bytes) => sum + bytes, 0) }
  }

  async function drain(partition: number): Promise<void> {
    const lane = lanes[partition] as Lane
    if (lane.inFlight || moving !== null) return
    lane.inFlight = true
    while (lane.queue.length > 0 && moving === null) {
      const batch = takeBatch(lane.queue)
      try {
        const events = batch.map(({ event }) => event)
        settle(batch, partition, await send(partition, laid, events))
      } catch (error) {
        if (error instanceof Moved) {
          lane.queue.unshift(...batch)
          moving ??= move()
        } else settleFailed([...batch, ...takeRest(batch, lane.queue)], asBusError(error))
      }
    }
    lane.inFlight = false
  }

  /**
   * Waits for the new number of partitions and spreads what waits over them; the order within a key stays. What comes
   * meanwhile waits too.
   */
  async function move(): Promise<void> {
    let failure: unknown = null
    let next = laid
    let known: ReadonlySet<string> = new Set()
    try {
      await awaitLayout(redis, keys, layout)
      next = layout.current
    } catch (error) {
      failure = error
    }
    while (lanes.some(({ inFlight }) => inFlight)) await new Promise((resolve) => setTimeout(resolve, 1))
    try {
      if (failure === null) known = await appendedBefore()
    } catch (error) {
      failure = error
    }
    const waiting = lanes.flatMap(({ queue }) => queue)
    laid = next
    lanes = lanesFor(laid)
    moving = null
    if (failure !== null) return settleFailed(waiting, asBusError(failure))
    settleKnown(waiting.filter(({ event }) => known.has(event.id)))
    for (const item of waiting)
      if (!known.has(item.event.id)) lanes[item.event.keyHash % lanes.length]?.queue.push(item)
    for (const partition of lanes.keys()) void drain(partition)
  }

  /** Ids of what waits that was appended before the change, perhaps to a partition that is another one's by now. */
  async function appendedBefore(): Promise<ReadonlySet<string>> {
    const events = lanes.flatMap(({ queue }) => queue.map(({ event }) => event))
    const unseen = await options.unseen?.(events)
    return new Set(unseen === undefined ? [] : events.flatMap(({ id }) => (unseen.has(id) ? [] : [id])))
  }

  return { append, ...createGuardedAppends(redis, keys, layout, send) }
}

function lanesFor({ partitions }: Partitioning): Lane[] {
  return Array.from({ length: partitions }, () => ({ queue: [], inFlight: false }))
}
