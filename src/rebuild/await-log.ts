import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import { PERSISTER } from '#src/bus/index.ts'
import { StoreUnavailable } from '#src/errors.ts'
import { readCheckpoints } from '#src/store/checkpoint.ts'
import { BEGINNING, isBefore, type Places } from './places.ts'

/** How long the log may be behind before it is said. */
const PATIENCE_MS = 60_000
const POLL_MS = 20

/** Waits until the log has everything up to these places: the groups that write it and that record go their own ways. */
export async function awaitLog(pool: Pool, places: Places, signal: AbortSignal): Promise<void> {
  const began = performance.now()
  for (;;) {
    const written = new Map((await readCheckpoints(pool, PERSISTER)).map((each) => [each.partition, each.position]))
    const late = [...places].find(([partition, place]) => isBefore(written.get(partition) ?? BEGINNING, place))
    if (late === undefined) return
    if (performance.now() - began > PATIENCE_MS)
      throw new StoreUnavailable(
        `The log is behind the projections in partition ${late[0]}: start the service event-persister, then try again.`,
      )
    await sleep(POLL_MS, undefined, { signal })
  }
}
