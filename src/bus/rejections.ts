import { instantOfMs } from '#src/events/instant.ts'
import { type AppendCallOptions, mostSeen, packIds, packLengths } from './append-call.ts'
import { awaitLayout } from './await-layout.ts'
import { asBusError, type Client } from './connection.ts'
import type { Keys } from './keys.ts'
import type { Layout } from './partitioning.ts'
import { runScript } from './scripts.ts'
import { MAX_ENTRY_BYTES, MAX_ENTRY_EVENTS } from './ticket.ts'

/** What a sender handed in that can't become an event, and why. */
export interface Rejection {
  readonly reason: string
  readonly body: Buffer
}

/** One that is to be appended. */
export interface NewRejection extends Rejection {
  /** A UUID that it keeps when it is handed in again: like an event's, it is remembered for the dedup window. */
  readonly id: string
}

/** What appending them needs beside its connection: the same as appending events. */
export type RejectionOptions = Omit<AppendCallOptions, 'metrics'> & { readonly layout: Layout }

const SEPARATOR = 0x01
/** A body longer than this is cut; its reason says how long it was. */
const MAX_BODY_BYTES = 1_500_000

/**
 * Appends rejected bodies to a partition's stream, from where the persister files them as dead letters: so they are as
 * durable as events, even while Postgres is away. The same list may be handed in again after a failure.
 * @throws BusUnavailable
 */
export async function appendRejections(
  redis: Client,
  keys: Keys,
  options: RejectionOptions,
  rejections: readonly NewRejection[],
): Promise<void> {
  for (let from = 0; from < rejections.length; ) {
    const records: Buffer[] = []
    for (let bytes = 0; from + records.length < rejections.length && records.length < MAX_ENTRY_EVENTS; ) {
      const record = encodeRejection(rejections[from + records.length] as NewRejection)
      bytes += record.length
      if (records.length > 0 && bytes > MAX_ENTRY_BYTES) break
      records.push(record)
    }
    const ids = rejections.slice(from, from + records.length).map(({ id }) => id)
    await appendEntry(redis, keys, options, ids, records)
    from += records.length
  }
}

/** The first id chooses the partition: the same list in the same entries meets the ids that it left there before. */
async function appendEntry(
  redis: Client,
  keys: Keys,
  options: RejectionOptions,
  ids: readonly string[],
  records: readonly Buffer[],
): Promise<void> {
  const { layout, ring, confirm, onAppended, dedupWindowMs, dedupMaxIds } = options
  const [packed, lengths] = [packIds(ids), packLengths(records)]
  for (;;) {
    const { partitions, epoch } = layout.current
    const partition = packed.readUInt32BE(0) % partitions
    const names = [keys.stream(partition), keys.state(partition), keys.seen(partition, 'a'), keys.seen(partition, 'b')]
    const received = instantOfMs(options.nowMs()).iso
    const maxSeen = mostSeen(dedupMaxIds, partitions)
    const args = [packed, lengths, Buffer.concat(records), 'rejected', received, '', dedupWindowMs, maxSeen, epoch]
    try {
      const reply = (await runScript(redis, 'append', names, args)) as ['moved', number] | ['ok', string, number]
      if (reply[0] === 'ok') {
        const [, entry, total] = reply
        onAppended(partition, total, entry)
        if (entry !== '') ring?.(partition)
        await confirm?.(partition, entry !== '')
        return
      }
      await awaitLayout(redis, keys, layout)
    } catch (error) {
      throw asBusError(error)
    }
  }
}

/** Reads a record of an entry of kind `rejected`. */
export function decodeRejection(record: Buffer): Rejection {
  const end = record.indexOf(SEPARATOR)
  return { reason: record.toString('utf8', 0, end), body: record.subarray(end + 1) }
}

/** A record of an entry of kind `rejected`. */
export function encodeRejection({ reason, body }: Rejection): Buffer {
  const cut = body.length > MAX_BODY_BYTES
  const said = cut ? `${reason} (first ${MAX_BODY_BYTES} of ${body.length} bytes kept)` : reason
  return Buffer.concat([
    Buffer.from(said.replaceAll('\x01', ' ')),
    Buffer.from([SEPARATOR]),
    cut ? body.subarray(0, MAX_BODY_BYTES) : body,
  ])
}
