/** Flow runs that ended long ago are deleted, by commands as everybody's: what they were is in the log for a while yet. */
import { setTimeout as sleep } from 'node:timers/promises'
import pMap from 'p-map'
import type { Pool } from 'pg'
import { CommandInvalid } from '#src/errors.ts'
import { instantOfMs } from '#src/events/instant.ts'
import type { Commands, FlowRunAnswer } from '#src/orchestration/index.ts'
import { type EndedRun, listEndedRuns } from '#src/store/retention/due-runs.ts'

const PAGE = 200
/** Commands at once: they go to Redis and into the tables together. */
const AT_ONCE = 20
/** Pauses three times as long as it works, so that runs that are under way hardly notice. */
const PAUSE_FACTOR = 3

/**
 * Deletes the runs that ended before a moment, the oldest first, unless they have begun again. What belonged to them is
 * cleared afterwards; see clear-runs.ts. Returns how many.
 */
export async function expireRuns(
  { pool, commands }: { readonly pool: Pool; readonly commands: Commands },
  beforeMs: number,
  signal: AbortSignal,
  onProgress: (runs: number) => void,
): Promise<number> {
  const endedBefore = instantOfMs(beforeMs).iso
  let sum = 0
  for (let after: EndedRun | null = null; !signal.aborted; ) {
    const began = performance.now()
    const page: EndedRun[] = await listEndedRuns(pool, beforeMs, after, PAGE)
    const expire = ({ id }: EndedRun) =>
      commands.flowRun(id, { type: 'expire', endedBefore }).then(isGone, unlessInvalid)
    sum += (await pMap(page, expire, { concurrency: AT_ONCE })).filter((gone) => gone).length
    const last = page.at(-1)
    if (last === undefined) break
    after = last
    onProgress(sum)
    await sleep(PAUSE_FACTOR * (performance.now() - began), undefined, { signal }).catch(() => {})
  }
  return sum
}

function isGone({ kind }: FlowRunAnswer): boolean {
  return kind === 'none'
}

/** A run of which no valid event can be made, such as under limits that were lowered, stays and stops no other. */
function unlessInvalid(error: unknown): boolean {
  if (error instanceof CommandInvalid) return false
  throw error
}
