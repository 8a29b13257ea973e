/** Runs that ended long ago are deleted, by commands as everybody's: what they were is in the log for a while yet. */
import { setTimeout as sleep } from 'node:timers/promises'
import pMap from 'p-map'
import type { Pool } from 'pg'
import { CommandInvalid } from '#src/errors.ts'
import { instantOfMs } from '#src/events/instant.ts'
import type { Commands } from '#src/orchestration/index.ts'
import {
  ENDED_FLOW_RUNS,
  ENDED_TASK_RUNS,
  type EndedRun,
  type EndedRuns,
  listEndedRuns,
} from '#src/store/retention/due-runs.ts'

const PAGE = 200
/** Commands at once: they go to Redis and into the tables together. */
const AT_ONCE = 20
/** Pauses three times as long as it works, so that runs that are under way hardly notice. */
const PAUSE_FACTOR = 3

interface ExpireNeeds {
  readonly pool: Pool
  readonly commands: Commands
}

/** A kind of run that expires. */
export interface Expiring {
  readonly what: string
  readonly runs: EndedRuns
  /** Whether it deleted it: not when it has begun again meanwhile. */
  expire(commands: Commands, id: string, endedBefore: string): Promise<boolean>
}

export const EXPIRING: readonly Expiring[] = [
  {
    what: 'flow runs',
    runs: ENDED_FLOW_RUNS,
    expire: async (commands, id, endedBefore) =>
      (await commands.flowRun(id, { type: 'expire', endedBefore })).kind === 'none',
  },
  {
    what: 'task runs of no flow run',
    runs: ENDED_TASK_RUNS,
    expire: (commands, id, endedBefore) => commands.taskRuns.expire(id, endedBefore),
  },
]

/**
 * Deletes the runs of a kind that ended before a moment, the oldest first. What belonged to them is cleared afterwards; see
 * clear-runs.ts. Tells after each page how many were in it.
 */
export async function expireRuns(
  { pool, commands }: ExpireNeeds,
  { runs, expire }: Expiring,
  beforeMs: number,
  signal: AbortSignal,
  onDeleted: (runs: number) => void,
): Promise<void> {
  const endedBefore = instantOfMs(beforeMs).iso
  for (let after: EndedRun | null = null; !signal.aborted; ) {
    const began = performance.now()
    const page: EndedRun[] = await listEndedRuns(pool, runs, beforeMs, after, PAGE)
    const expireOne = ({ id }: EndedRun) => expire(commands, id, endedBefore).catch(unlessInvalid)
    onDeleted((await pMap(page, expireOne, { concurrency: AT_ONCE })).filter((gone) => gone).length)
    const last = page.at(-1)
    if (last === undefined) break
    after = last
    await sleep(PAUSE_FACTOR * (performance.now() - began), undefined, { signal }).catch(() => {})
  }
}

/** A run of which no valid event can be made, such as under limits that were lowered, stays and stops no other. */
function unlessInvalid(error: unknown): boolean {
  if (error instanceof CommandInvalid) return false
  throw error
}
