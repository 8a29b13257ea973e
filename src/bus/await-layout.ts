import { setTimeout as sleep } from 'node:timers/promises'
import { BusUnavailable } from '#src/errors.ts'
import type { Client } from './connection.ts'
import type { Keys } from './keys.ts'
import { abandonStaleChange, applyLayout, type Layout } from './partitioning.ts'

/** The partition was chosen by a layout that does not hold any more. A lost race: look again and choose again. */
export class Moved extends Error {}

const LOOK_EVERY_MS = 20
const PATIENCE_MS = 30_000
/** By then every process has looked at the layout, and those that know a later one have put it back. */
const ALL_LOOKED_MS = 3_000

/**
 * Waits until a change of the partitions is over. One that was left behind by a process that died is given up, and what it
 * left in the partitions is put right.
 * @throws BusUnavailable when it isn't over after 30 s; nothing was appended
 */
export async function awaitLayout(redis: Client, keys: Keys, layout: Layout): Promise<void> {
  const began = Date.now()
  for (;;) {
    const now = await layout.refresh()
    const waitedMs = Date.now() - began
    if (now.changing) await abandonStaleChange(redis, keys)
    else if (await applyLayout(redis, keys, now, waitedMs > ALL_LOOKED_MS)) return
    if (waitedMs >= PATIENCE_MS)
      throw new BusUnavailable('The number of partitions is being changed; send the same again in a moment.', {
        mayBeDone: false,
      })
    await sleep(LOOK_EVERY_MS)
  }
}
