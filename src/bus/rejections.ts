import { instantOfMs } from '#src/events/instant.ts'
import { awaitLayout } from './await-layout.ts'
import type { Ring } from './bell.ts'
import { asBusError, type Client } from './connection.ts'
import type { Confirm } from './durability.ts'
import type { Keys } from './keys.ts'
import type { Layout } from './partitioning.ts'
import { runScript } from './scripts.ts'

/** What a sender handed in that can't become an event, and why. */
export interface Rejection {
  readonly reason: string
  readonly body: Buffer
}

const SEPARATOR = 0x01
/** A body longer than this is cut; its reason says how long it was. */
const MAX_BODY_BYTES = 1_500_000

/**
 * Appends rejected bodies to a partition's stream, from where the persister files them as dead letters: so they are as
 * durable as events, even while Postgres is away.
 * @throws BusUnavailable
 */
export async function appendRejections(
  redis: Client,
  keys: Keys,
  layout: Layout,
  turn: number,
  nowMs: number,
  rejections: readonly Rejection[],
  { ring, confirm }: { readonly ring?: Ring | null; readonly confirm?: Confirm | null } = {},
): Promise<void> {
  for (const rejection of rejections) {
    const record = encodeRejection(rejection)
    const length = Buffer.allocUnsafe(4)
    length.writeUInt32BE(record.length)
    for (let moved = true; moved; ) {
      const { partitions, epoch } = layout.current
      const partition = turn % partitions
      const names = [
        keys.stream(partition),
        keys.state(partition),
        keys.seen(partition, 'a'),
        keys.seen(partition, 'b'),
      ]
      const args = ['', length, record, 'rejected', instantOfMs(nowMs).iso, '', 0, 0, epoch]
      try {
        const [status] = (await runScript(redis, 'append', names, args)) as [string]
        moved = status === 'moved'
        if (moved) await awaitLayout(redis, keys, layout)
        else {
          ring?.(partition)
          await confirm?.(partition, true)
        }
      } catch (error) {
        throw asBusError(error)
      }
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
