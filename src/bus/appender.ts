import type { EncodedEvent } from '#src/events/encode.ts'
import { instantOfMs } from '#src/events/instant.ts'
import type { Metrics } from '#src/metrics.ts'
import { awaitLayout, Moved } from './await-layout.ts'
import type { Ring } from './bell.ts'
import {
  type AppendedEntry,
  type Appender,
  type AppendResult,
  type ExpectedVersion,
  parseEntryId,
  type VersionConflict,
} from './bus.ts'
import { asBusError, type Client } from './connection.ts'
import type { Confirm } from './durability.ts'
import type { Keys } from './keys.ts'
import type { Layout, Partitioning } from './partitioning.ts'
import { runScript } from './scripts.ts'

/** What the appender needs beside its connection. */
export interface AppenderOptions {
  readonly layout: Layout
  readonly dedupWindowMs: number
  /** Most ids remembered, over all partitions. */
  readonly dedupMaxIds: number
  /** Group whose distance from the stream's end is the backlog. */
  readonly durableGroup: string
  readonly nowMs: () => number
  readonly metrics: Metrics
  /** Told after each append how many events the partition has had, and how many of them the durable group has not applied. */
  readonly onBacklog: (partition: number, total: number, backlog: number) => void
  /** Called after each append, where the readers of a partition can't be woken by Redis. */
  readonly ring?: Ring | null
  /** Waited for after each append, where more durability is asked for than the server gives by itself. */
  readonly confirm?: Confirm | null
}

/** Bounds of one entry: a reader's batch is a number of entries, so an entry must not be large. */
const MAX_ENTRY_EVENTS = 1_000
const MAX_ENTRY_BYTES = 256 * 1024
const ID_BYTES = 16
/** How long Redis knows an aggregate's version; afterwards that of its row counts. */
const VERSION_TTL_MS = 60 * 60_000

/** One call to `append`, until all of its events are in. */
interface Ticket {
  waiting: number
  failure: unknown
  readonly duplicates: Set<number>
  readonly entries: AppendedEntry[]
  readonly resolve: (result: AppendResult) => void
  readonly reject: (error: unknown) => void
}

interface Waiting {
  readonly ticket: Ticket
  /** The event's place in its call. */
  readonly index: number
  readonly event: EncodedEvent
}

interface Lane {
  readonly queue: Waiting[]
  inFlight: boolean
}

/**
 * Groups appends: while a partition's script is under way, what comes meanwhile waits and goes together in the next one.
 * So one caller pays one round trip, and many share a few. The queue is bounded by what the door lets in.
 */
export function createAppender(redis: Client, keys: Keys, options: AppenderOptions): Appender {
  const { layout, ring = null, confirm = null } = options
  // What partitions are chosen by; the layout may be newer for a moment, and then Redis turns the append back.
  let laid = layout.current
  let lanes = lanesFor(laid)
  let moving: Promise<void> | null = null

  function append(events: readonly EncodedEvent[]): Promise<AppendResult> {
    if (events.length === 0) return Promise.resolve({ duplicates: new Set(), entries: [] })
    return new Promise((resolve, reject) => {
      const ticket: Ticket = {
        waiting: events.length,
        failure: null,
        duplicates: new Set(),
        entries: [],
        resolve,
        reject,
      }
      const touched = new Set<number>()
      events.forEach((event, index) => {
        const partition = event.keyHash % lanes.length
        lanes[partition]?.queue.push({ ticket, index, event })
        touched.add(partition)
      })
      for (const partition of touched) void drain(partition)
    })
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

  /** Waits for the new number of partitions and spreads what waits over them; the order within a key stays. */
  async function move(): Promise<void> {
    let failure: unknown = null
    try {
      await awaitLayout(redis, keys, layout)
    } catch (error) {
      failure = error
    }
    while (lanes.some(({ inFlight }) => inFlight)) await new Promise((resolve) => setTimeout(resolve, 1))
    const waiting = lanes.flatMap(({ queue }) => queue)
    laid = layout.current
    lanes = lanesFor(laid)
    moving = null
    if (failure !== null) return settleFailed(waiting, asBusError(failure))
    for (const item of waiting) lanes[item.event.keyHash % lanes.length]?.queue.push(item)
    for (const partition of lanes.keys()) void drain(partition)
  }

  async function appendExpecting(
    events: readonly EncodedEvent[],
    version: ExpectedVersion,
  ): Promise<AppendResult | VersionConflict> {
    const [first] = events
    if (first === undefined) return { duplicates: new Set(), entries: [] }
    if (events.some(({ keyHash }) => keyHash !== first.keyHash))
      throw new RangeError('events that expect a version must have one ordering key')
    for (;;) {
      const now = layout.current
      const partition = first.keyHash % now.partitions
      try {
        const reply = await send(partition, now, events, version)
        if ('actual' in reply) return reply
        return { duplicates: new Set(reply.duplicates), entries: [entryOf(partition, reply)] }
      } catch (error) {
        if (!(error instanceof Moved)) throw asBusError(error)
        await awaitLayout(redis, keys, layout)
      }
    }
  }

  async function send(partition: number, chosenBy: Partitioning, events: readonly EncodedEvent[]): Promise<Reply>
  async function send(
    partition: number,
    chosenBy: Partitioning,
    events: readonly EncodedEvent[],
    version: ExpectedVersion,
  ): Promise<Reply | VersionConflict>
  async function send(
    partition: number,
    chosenBy: Partitioning,
    events: readonly EncodedEvent[],
    version?: ExpectedVersion,
  ): Promise<Reply | VersionConflict> {
    const { ids, lengths, records, days } = pack(events)
    const names = [keys.stream(partition), keys.state(partition), keys.seen(partition, 'a'), keys.seen(partition, 'b')]
    const { dedupWindowMs, dedupMaxIds, durableGroup, metrics } = options
    const { partitions, epoch } = chosenBy
    const maxSeen = Math.max(1_000, Math.floor(dedupMaxIds / partitions / 2))
    const received = instantOfMs(options.nowMs()).iso
    const args = [ids, lengths, records, 'events', received, days, dedupWindowMs, maxSeen, durableGroup, epoch]
    if (version !== undefined) {
      names.push(keys.version(partition, version.aggregate))
      args.push(version.expected, VERSION_TTL_MS)
    }
    metrics.appendBatchEvents.observe(events.length)
    const done = metrics.appendSeconds.startTimer()
    const reply = (await runScript(redis, 'append', names, args)) as
      | ['conflict', number]
      | ['moved', number]
      | ['ok', string, number, number, number[]]
    done()
    if (reply[0] === 'moved') throw new Moved()
    if (reply[0] === 'conflict') return { actual: reply[1] }
    const [, entry, backlog, total, duplicates] = reply
    options.onBacklog(partition, total, backlog)
    if (entry !== '') ring?.(partition)
    if (confirm !== null) await confirm(partition, entry !== '')
    return { entry, duplicates }
  }

  return { append, appendExpecting }
}

function lanesFor({ partitions }: Partitioning): Lane[] {
  return Array.from({ length: partitions }, () => ({ queue: [], inFlight: false }))
}

/** The arguments that the script wants of events: ids and lengths packed, records one after another, days in a list. */
function pack(events: readonly EncodedEvent[]) {
  const ids = Buffer.allocUnsafe(events.length * ID_BYTES)
  const lengths = Buffer.allocUnsafe(events.length * 4)
  const records = new Array<Buffer>(events.length)
  const days = new Set<number>()
  events.forEach((event, i) => {
    ids.write(event.id.replaceAll('-', ''), i * ID_BYTES, 'hex')
    lengths.writeUInt32BE(event.record.length, i * 4)
    records[i] = event.record
    days.add(event.day)
  })
  return { ids, lengths, records: Buffer.concat(records), days: [...days].join(',') }
}

interface Reply {
  readonly entry: string
  readonly duplicates: readonly number[]
}

function takeBatch(queue: Waiting[]): Waiting[] {
  let bytes = 0
  let count = 0
  while (count < queue.length && count < MAX_ENTRY_EVENTS) {
    bytes += (queue[count] as Waiting).event.record.length
    if (count > 0 && bytes > MAX_ENTRY_BYTES) break
    count++
  }
  return queue.splice(0, count)
}

/**
 * Takes what a failed batch's calls still have in the queue: they are made again as a whole, so if their later events
 * went in now, the earlier ones would come behind them.
 */
function takeRest(batch: readonly Waiting[], queue: Waiting[]): Waiting[] {
  const calls = new Set(batch.map(({ ticket }) => ticket))
  const rest = queue.filter(({ ticket }) => calls.has(ticket))
  if (rest.length > 0) queue.splice(0, queue.length, ...queue.filter(({ ticket }) => !calls.has(ticket)))
  return rest
}

function settle(batch: readonly Waiting[], partition: number, reply: Reply): void {
  for (const at of reply.duplicates) {
    const { ticket, index } = batch[at] as Waiting
    ticket.duplicates.add(index)
  }
  const entry = entryOf(partition, reply)
  let last: Ticket | null = null
  for (const { ticket } of batch) {
    if (ticket !== last) ticket.entries.push(entry)
    last = ticket
    finish(ticket)
  }
}

function entryOf(partition: number, { entry }: Reply): AppendedEntry {
  return { partition, id: entry === '' ? null : parseEntryId(entry) }
}

function settleFailed(batch: readonly Waiting[], error: unknown): void {
  for (const { ticket } of batch) {
    ticket.failure = error
    finish(ticket)
  }
}

function finish(ticket: Ticket): void {
  if (--ticket.waiting > 0) return
  if (ticket.failure !== null) ticket.reject(ticket.failure)
  else ticket.resolve({ duplicates: ticket.duplicates, entries: ticket.entries })
}
