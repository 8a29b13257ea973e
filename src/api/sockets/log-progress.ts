import { setTimeout as sleep } from 'node:timers/promises'
import { comparePositions, type EntryId } from '#src/bus/index.ts'
import { StoreUnavailable } from '#src/errors.ts'
import { storeError } from '#src/store/unavailable.ts'
import { within } from '../within.ts'

/** How far the log has come: which positions of the streams are committed in Postgres. */
export interface LogProgress {
  /**
   * Waits until the log has every entry up to these positions, one for each partition. Returns how far it is by then.
   * @param signal ends the waiting, with its reason
   * @throws StoreUnavailable when it isn't so within `withinMs`
   */
  reaches(positions: readonly EntryId[], withinMs: number, signal: AbortSignal): Promise<readonly EntryId[]>
}

const LOOK_EVERY_MS = 50
const BEGINNING: EntryId = { ms: 0, seq: 0 }

/**
 * Asks Postgres now and then while somebody waits, once for all who do.
 * @param read the checkpoints of the group that writes the log; partitions never written are missing
 */
export function createLogProgress(
  read: () => Promise<readonly { partition: number; position: EntryId }[]>,
): LogProgress {
  let reading: Promise<ReadonlyMap<number, EntryId>> | null = null

  function look(): Promise<ReadonlyMap<number, EntryId>> {
    reading ??= read()
      .then((checkpoints) => new Map(checkpoints.map(({ partition, position }) => [partition, position])))
      .catch((error: unknown) => {
        throw storeError(error)
      })
      .finally(() => {
        reading = null
      })
    return reading
  }

  async function reaches(
    positions: readonly EntryId[],
    withinMs: number,
    signal: AbortSignal,
  ): Promise<readonly EntryId[]> {
    const untilMs = performance.now() + withinMs
    for (;;) {
      const reached = await within(untilMs - performance.now(), look(), behind)
      const all = positions.map((_, partition) => reached.get(partition) ?? BEGINNING)
      if (positions.every((wanted, partition) => comparePositions(all[partition] ?? BEGINNING, wanted) >= 0)) return all
      if (performance.now() > untilMs) throw behind()
      await sleep(LOOK_EVERY_MS, undefined, { signal })
    }
  }

  return { reaches }
}

function behind(): StoreUnavailable {
  return new StoreUnavailable('The log is behind the streams: is a process with the event persister running?')
}
