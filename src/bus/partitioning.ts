import { LayoutContradicted, PartitionCountMismatch } from '#src/errors.ts'
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
  /** Called after another epoch was noticed; the number of partitions may be the same. */
  onChange(listener: (now: Partitioning) => void): void
}

/**
 * Fixes the layout at the first start, and takes what is there ever after. Where Postgres remembers a later one than Redis
 * has, Redis lost it, or it was remembered by a process that died before it held in Redis: then it holds from now on.
 * Everything was applied before it was remembered, so nothing that is still in the streams is out of order by it.
 * @param known what Postgres remembers; the higher epoch of the two holds
 * @param configured the number that the operator asks for; null when none is asked for
 * @throws PartitionCountMismatch | LayoutContradicted | BusUnavailable
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
    await raise(redis, key, known ?? { partitions: configured ?? standard, epoch: 1 })
    current = await read(redis, key)
    if (!current.changing) await holdPartitions(redis, keys, current.partitions, current.epoch)
  } catch (error) {
    throw asBusError(error)
  }
  const { partitions, epoch } = current
  if (known?.epoch === epoch && known.partitions !== partitions)
    throw new LayoutContradicted({ redis: partitions, postgres: known.partitions, epoch })
  if (configured !== null && configured !== partitions)
    throw new PartitionCountMismatch({ stored: partitions, configured })
  const listeners: ((now: Partitioning) => void)[] = []
  return {
    get current() {
      return current
    },
    async refresh() {
      try {
        let now = await read(redis, key)
        if (!(now.epoch >= current.epoch)) {
          // Redis was emptied, or came back with an older state.
          await raise(redis, key, current)
          now = await read(redis, key)
        }
        const before = current
        current = now
        if (now.epoch !== before.epoch) for (const listener of listeners) listener(now)
        return now
      } catch (error) {
        throw asBusError(error)
      }
    },
    onChange: (listener) => listeners.push(listener),
  }
}

/** @returns an epoch that is not a number when Redis has no layout */
async function read(redis: Client, key: string): Promise<Partitioning> {
  const [partitions, epoch, changedMs, changing] = await redis.hmget(
    key,
    'partitions',
    'epoch',
    'changedMs',
    'changing',
  )
  return {
    partitions: Number(partitions),
    epoch: epoch ? Number(epoch) : Number.NaN,
    changedMs: Number(changedMs ?? 0),
    changing: Boolean(changing),
  }
}

/** Makes a layout hold, unless one of the same or a later epoch does. */
async function raise(redis: Client, key: string, layout: { partitions: number; epoch: number }): Promise<void> {
  await runScript(redis, 'layout', [key], ['raise', layout.epoch, layout.partitions])
}

/** Turns back what is appended by an older layout. Returns the highest epoch that any of the partitions has now. */
export async function holdPartitions(redis: Client, keys: Keys, partitions: number, epoch: number): Promise<number> {
  const all = Array.from({ length: partitions }, (_, i) => keys.state(i))
  const held = await Promise.all(all.map((state) => runScript(redis, 'hold', [state], [epoch])))
  return Math.max(...held.map(Number))
}

/** Gives up a change whose time has run out, so that appends go on with the number as it was. */
export async function abandonStaleChange(redis: Client, keys: Keys): Promise<void> {
  try {
    await runScript(redis, 'layout', [keys.layout()], ['abandon', 0])
  } catch (error) {
    throw asBusError(error)
  }
}

/**
 * Lets appends go by a layout: its epoch is put into all partitions. Where one has a later epoch, which no layout has, that
 * of a change of which Redis has lost that it was begun, the same number is to hold under an epoch above.
 * @param overtake whether to do so now; the later layout may be known to somebody who is about to put it back
 * @returns true when appends can go on
 */
export async function applyLayout(
  redis: Client,
  keys: Keys,
  { partitions, epoch }: Partitioning,
  overtake: boolean,
): Promise<boolean> {
  try {
    const highest = await holdPartitions(redis, keys, partitions, epoch)
    if (highest > epoch && overtake) await raise(redis, keys.layout(), { partitions, epoch: highest + 1 })
    return highest === epoch
  } catch (error) {
    throw asBusError(error)
  }
}
