import { PartitionCountMismatch } from '#src/errors.ts'
import { asBusError, type Client } from './connection.ts'
import type { Keys } from './keys.ts'
import { runScript } from './scripts.ts'

/** How many partitions there are. */
export interface Partitioning {
  readonly partitions: number
  /** Raised by every change; an append that names another one is turned back. */
  readonly epoch: number
  /** Epoch milliseconds of the last change, by Redis' clock; 0 when there was none. */
  readonly changedMs: number
  /** A change is under way: nothing may be appended until it is over. */
  readonly changing: boolean
}

/** What this process knows of the layout, which is Redis' to say. */
export interface Layout {
  readonly current: Partitioning
  /** Looks again. @throws BusUnavailable */
  refresh(): Promise<Partitioning>
  /** Called after a change was noticed. */
  onChange(listener: (now: Partitioning) => void): void
}

/**
 * Fixes the layout at the first start, and takes what is there ever after.
 * @param known what Postgres remembers, in case that Redis lost it; the higher epoch of the two holds
 * @param configured the number that the operator asks for; null when none is asked for
 * @throws PartitionCountMismatch | BusUnavailable
 */
export async function openLayout(
  redis: Client,
  keys: Keys,
  known: { readonly partitions: number; readonly epoch: number } | null,
  configured: number | null,
  standard: number,
): Promise<Layout> {
  const key = keys.layout()
  let current: Partitioning
  try {
    const first = known ?? { partitions: configured ?? standard, epoch: 1 }
    await redis.hsetnx(key, 'partitions', first.partitions)
    await redis.hsetnx(key, 'epoch', first.epoch)
    current = await read(redis, key)
    if (known !== null && known.epoch > current.epoch) {
      await redis.hset(key, { partitions: known.partitions, epoch: known.epoch })
      current = await read(redis, key)
    }
  } catch (error) {
    throw asBusError(error)
  }
  if (configured !== null && configured !== current.partitions) {
    throw new PartitionCountMismatch({ stored: current.partitions, configured })
  }
  const listeners: ((now: Partitioning) => void)[] = []
  return {
    get current() {
      return current
    },
    async refresh() {
      try {
        const before = current
        current = await read(redis, key, before)
        if (current.epoch !== before.epoch) for (const listener of listeners) listener(current)
        return current
      } catch (error) {
        throw asBusError(error)
      }
    },
    onChange: (listener) => listeners.push(listener),
  }
}

/** A Redis that was emptied is told again by the next process that starts; until then what was known holds. */
async function read(redis: Client, key: string, before?: Partitioning): Promise<Partitioning> {
  const [partitions, epoch, changedMs, changing] = await redis.hmget(
    key,
    'partitions',
    'epoch',
    'changedMs',
    'changing',
  )
  if (!partitions && before !== undefined) {
    await redis.hset(key, { partitions: before.partitions, epoch: before.epoch })
    return { ...before, changing: false }
  }
  return {
    partitions: Number(partitions),
    epoch: Number(epoch),
    changedMs: Number(changedMs ?? 0),
    changing: Boolean(changing),
  }
}

/** Gives up a change whose time has run out, so that appends go on with the layout as it was. */
export async function abandonStaleChange(
  redis: Client,
  keys: Keys,
  { partitions, epoch }: Partitioning,
): Promise<void> {
  try {
    if ((await runScript(redis, 'layout', [keys.layout()], ['abandon', ''])) !== 1) return
    for (let i = 0; i < partitions; i++) await redis.hset(keys.state(i), 'layout', epoch)
  } catch (error) {
    throw asBusError(error)
  }
}
