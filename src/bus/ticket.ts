import type { EncodedEvent } from '#src/events/encode.ts'
import type { Reply } from './append-call.ts'
import { type AppendedEntry, type AppendResult, parseEntryId } from './bus.ts'

/** Bounds of one entry: a reader's batch is a number of entries, so an entry must not be large. */
export const MAX_ENTRY_EVENTS = 1_000
export const MAX_ENTRY_BYTES = 256 * 1024

/** One call to `append`, until all of its events are in. */
export interface Ticket {
  waiting: number
  failure: unknown
  readonly duplicates: Set<number>
  readonly entries: AppendedEntry[]
  readonly resolve: (result: AppendResult) => void
  readonly reject: (error: unknown) => void
}

/** An event of a call that is not in yet. */
export interface Waiting {
  readonly ticket: Ticket
  /** The event's place in its call. */
  readonly index: number
  readonly event: EncodedEvent
}

/** A call of so many events, whose promise is settled when the last of them is. */
export function createTicket(
  events: number,
  resolve: (result: AppendResult) => void,
  reject: (error: unknown) => void,
): Ticket {
  return { waiting: events, failure: null, duplicates: new Set(), entries: [], resolve, reject }
}

/** Takes what goes into the next entry, at least one event. */
export function takeBatch(queue: Waiting[]): Waiting[] {
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
export function takeRest(batch: readonly Waiting[], queue: Waiting[]): Waiting[] {
  const calls = new Set(batch.map(({ ticket }) => ticket))
  const rest = queue.filter(({ ticket }) => calls.has(ticket))
  if (rest.length > 0) queue.splice(0, queue.length, ...queue.filter(({ ticket }) => !calls.has(ticket)))
  return rest
}

/** Tells the calls of a batch what became of their events; a call with none left is answered. */
export function settle(batch: readonly Waiting[], partition: number, reply: Reply): void {
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

export function entryOf(partition: number, { entry }: Reply): AppendedEntry {
  return { partition, id: entry === '' ? null : parseEntryId(entry) }
}

/** The same of events that were appended before, nobody knows in which entry. */
export function settleKnown(known: readonly Waiting[]): void {
  for (const { ticket, index } of known) {
    ticket.duplicates.add(index)
    finish(ticket)
  }
}

/** The same when the batch failed: a call is refused once none of its events is under way. */
export function settleFailed(batch: readonly Waiting[], error: unknown): void {
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
