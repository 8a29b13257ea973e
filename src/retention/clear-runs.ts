/**
 * What belonged to a deleted run is cleared: its states, logs and so on. Whoever deleted it, the log has an event for that,
 * and by these the rows are found and named in events of their own, which their projections take. So a rebuild comes to the
 * same rows, and what a crash interrupts goes on from the last deletion that was followed up.
 */
import type { Pool } from 'pg'
import type { ClearedRun } from '#src/events/run-cleared.ts'
import {
  type Deletion,
  type DeletionPlace,
  hasDeletions,
  listDeletions,
  readPlace,
  writePlace,
} from '#src/store/retention/deletions.ts'
import { FLOW_RUNS, type RunKind, runsGone, TASK_RUNS } from '#src/store/retention/run-remains.ts'
import type { BehindInStream } from './plan.ts'
import { type RemoveNeeds, removeRemains, type Telling } from './remove-remains.ts'

/** Each deletion is followed up soon, and once more when nobody sends anything of that run any more. */
const PASSES = [
  { again: false, graceMs: 30_000 },
  { again: true, graceMs: 3_600_000 },
] as const
/** Clocks of API servers may differ by so much. */
const CLOCKS_MS = 60_000
const PAGE = 200

export interface ClearNeeds extends RemoveNeeds {
  behind(): Promise<readonly BehindInStream[]>
}

/** Clears what it finds and tells of it; of flow runs first, since their task runs leave with them. */
export async function clearRuns(needs: ClearNeeds, signal: AbortSignal, telling: Telling): Promise<void> {
  const behind = await needs.behind()
  // What is still in the streams may be a deletion: it isn't passed over.
  const readMs = Math.min(...behind.map(({ nextMs }) => nextMs)) - CLOCKS_MS
  for (const kind of [FLOW_RUNS, TASK_RUNS])
    for (const { again, graceMs } of PASSES) {
      const untilMs = Math.min(needs.nowMs() - graceMs, readMs)
      await follow(needs, { kind, place: placeOf(kind, again), untilMs }, signal, telling)
    }
}

/** Whether deletions in a table of the log have not been followed up for the last time: then it has to stay. */
export async function isFollowedUp(pool: Pool, table: string): Promise<boolean> {
  for (const kind of [FLOW_RUNS, TASK_RUNS])
    if (await hasDeletions(pool, table, kind.deleted, await readPlace(pool, placeOf(kind, true)))) return false
  return true
}

/** Under which name it is noted how far a pass has come. */
function placeOf({ kind }: RunKind, again: boolean): string {
  return `deleted-${kind === 'flow-run' ? 'runs' : 'task-runs'}${again ? '-again' : ''}`
}

interface Pass {
  readonly kind: RunKind
  readonly place: string
  readonly untilMs: number
}

async function follow(
  needs: ClearNeeds,
  { kind, place, untilMs }: Pass,
  signal: AbortSignal,
  telling: Telling,
): Promise<void> {
  const { pool } = needs
  for (let after: DeletionPlace | null = await readPlace(pool, place); ; ) {
    const deletions = await listDeletions(pool, kind.deleted, after, untilMs, PAGE)
    const last = deletions.at(-1)
    if (last === undefined) return
    await removeRemains(needs, kind, await clearable(pool, kind, deletions), signal, telling)
    if (signal.aborted) return
    await writePlace(pool, place, last)
    after = last
  }
}

/** Runs that were deleted and not made again since. */
async function clearable(pool: Pool, kind: RunKind, deletions: readonly Deletion[]): Promise<ClearedRun[]> {
  const flowRuns = new Map(deletions.map(({ run, flowRunId }) => [run, flowRunId]))
  const ids = await runsGone(
    pool,
    kind,
    [...flowRuns.keys()].filter((id) => id !== null),
  )
  return ids.map((id) => ({ kind: kind.kind, id, flowRunId: flowRuns.get(id) ?? null }))
}
