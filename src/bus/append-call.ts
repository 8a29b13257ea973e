import type { EncodedEvent } from '#src/events/encode.ts'
import { instantOfMs } from '#src/events/instant.ts'
import type { Metrics } from '#src/metrics.ts'
import { Moved } from './await-layout.ts'
import type { Ring } from './bell.ts'
import type { Client } from './connection.ts'
import type { Confirm } from './durability.ts'
import type { Keys } from './keys.ts'
import type { Partitioning } from './partitioning.ts'
import { runScript } from './scripts.ts'

/** What an append needs beside its connection. */
export interface AppendCallOptions {
  readonly dedupWindowMs: number
  /** Most ids remembered, over all partitions. */
  readonly dedupMaxIds: number
  readonly nowMs: () => number
  readonly metrics: Metrics
  /** Told after each append how many events the partition has had, and the id of the entry; empty when there is none. */
  readonly onAppended: (partition: number, total: number, entry: string) => void
  /** Called after each append, where the readers of a partition can't be woken by Redis. */
  readonly ring?: Ring | null
  /** Waited for after each append, where more durability is asked for than the server gives by itself. */
  readonly confirm?: Confirm | null
}

const ID_BYTES = 16
/** How long Redis knows an aggregate's version; afterwards that of its row counts. */
const VERSION_TTL_MS = 60 * 60_000

/** What Redis is to know already for an append to be made, and what it is to know from then on. */
export interface Guard {
  /** Keys of the partition; the first is compared, and all are set. */
  readonly names: readonly string[]
  /** Empty for anything. */
  readonly expected: number | string
  /** Empty for `expected` and the number of events; `entry` for the id of the entry. */
  readonly next: number | string
}

/** Redis knows something else; nothing was appended. */
export interface Turned {
  readonly conflict: string
}

/** What the script says of an append. */
export interface Reply {
  /** Empty when every event was there before. */
  readonly entry: string
  /** Places of the events that were there before. */
  readonly duplicates: readonly number[]
}

/** See `createAppendCall`. */
export type AppendCall = ReturnType<typeof createAppendCall>

/**
 * The call that appends events of one partition as one entry, atomically, without the ids that were there before.
 * @throws Moved from the call, when the partitions have changed since this one was chosen; nothing was appended then
 */
export function createAppendCall(redis: Client, keys: Keys, options: AppendCallOptions) {
  const { ring = null, confirm = null } = options

  async function send(partition: number, chosenBy: Partitioning, events: readonly EncodedEvent[]): Promise<Reply>
  async function send(
    partition: number,
    chosenBy: Partitioning,
    events: readonly EncodedEvent[],
    guard: Guard,
  ): Promise<Reply | Turned>
  async function send(
    partition: number,
    chosenBy: Partitioning,
    events: readonly EncodedEvent[],
    guard?: Guard,
  ): Promise<Reply | Turned> {
    const { ids, lengths, records, days } = pack(events)
    const names = [keys.stream(partition), keys.state(partition), keys.seen(partition, 'a'), keys.seen(partition, 'b')]
    const { dedupWindowMs, dedupMaxIds, metrics } = options
    const { partitions, epoch } = chosenBy
    const maxSeen = mostSeen(dedupMaxIds, partitions)
    const received = instantOfMs(options.nowMs()).iso
    const args = [ids, lengths, records, 'events', received, days, dedupWindowMs, maxSeen, epoch]
    if (guard !== undefined) {
      names.push(...guard.names)
      args.push(guard.expected, VERSION_TTL_MS, guard.next)
    }
    metrics.appendBatchEvents.observe(events.length)
    const done = metrics.appendSeconds.startTimer()
    const reply = (await runScript(redis, 'append', names, args)) as
      | ['conflict', string]
      | ['moved', number]
      | ['ok', string, number, number[]]
    done()
    if (reply[0] === 'moved') throw new Moved()
    if (reply[0] === 'conflict') return { conflict: reply[1] }
    const [, entry, total, duplicates] = reply
    options.onAppended(partition, total, entry)
    if (entry !== '') ring?.(partition)
    if (confirm !== null) await confirm(partition, entry !== '')
    return { entry, duplicates }
  }

  return send
}

/** The arguments that the script wants of events: ids and lengths packed, records one after another, days in a list. */
function pack(events: readonly EncodedEvent[]) {
  const records = events.map(({ record }) => record)
  const days = new Set(events.map(({ day }) => day))
  return {
    ids: packIds(events.map(({ id }) => id)),
    lengths: packLengths(records),
    records: Buffer.concat(records),
    days: [...days].join(','),
  }
}

/** UUIDs as the script wants them, 16 bytes each. */
export function packIds(ids: readonly string[]): Buffer {
  const packed = Buffer.allocUnsafe(ids.length * ID_BYTES)
  ids.forEach((id, i) => {
    packed.write(id.replaceAll('-', ''), i * ID_BYTES, 'hex')
  })
  return packed
}

/** How long each record is, as the script wants it. */
export function packLengths(records: readonly Buffer[]): Buffer {
  const packed = Buffer.allocUnsafe(records.length * 4)
  records.forEach(({ length }, i) => {
    packed.writeUInt32BE(length, i * 4)
  })
  return packed
}

/** Most ids in one of a partition's two sets. @param maxIds over all partitions */
export function mostSeen(maxIds: number, partitions: number): number {
  return Math.max(1_000, Math.floor(maxIds / partitions / 2))
}
