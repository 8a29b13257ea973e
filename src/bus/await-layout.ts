import { setTimeout as sleep } from 'node:timers/promises'
import { BusUnavailable } from '#src/errors.ts'
import type { Client } from './connection.ts'
import type { Keys } from './keys.ts'
import { abandonStaleChange, type Layout } from './partitioning.ts'

/** The partition was chosen by a layout that does not hold any more. A lost race: look again and choose again. */
export class Moved extends Error {}

const LOOK_EVERY_MS = 20
const PATIENCE_MS = 30_000

/**
 * Waits until a change of the partitions is over. One that was left behind by a process that died is given up.
 * @throws BusUnavailable when it isn't over after 30 s; nothing was appended
 */
export async function awaitLayout(redis: Client, keys: Keys, layout: Layout): Promise<void> {
  const until = Date.now() + PATIENCE_MS
  const before = layout.current.epoch
  for (;;) {
    const now = await layout.refresh()
    if (!now.changing && now.epoch !== before) return
    if (!now.changing && (await holds(redis, keys, now.epoch))) return
    if (now.changing) await abandonStaleChange(redis, keys, now)
    if (Date.now() >= until)
      throw new BusUnavailable('The number of partitions is being changed; send the same again in a moment.')
    await sleep(LOOK_EVERY_MS)
  }
}

/** The change was given up: the streams take the old epoch again. */
async function holds(redis: Client, keys: Keys, epoch: number): Promise<boolean> {
  return (await redis.hget(keys.state(0), 'layout')) === String(epoch)
}
