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
import type { BehindInStream } from './plan-needs.ts'
import { type RemoveNeeds, removeRemains, type Telling } from './remove-remains.ts'

/** Each deletion is followed up soon, and once more when nobody sends anything of that run any more. */
const PASSES = [
  { again: false, graceMs: 30_000 },
  { again: true, graceMs: 3_600_000 },
] as const
/** Clocks of API servers may differ by so much. */
const CLOCKS_MS = 60_000
const PAGE = 200

/** What it takes to find what is to be followed up. */
export interface FollowNeeds {
  readonly pool: Pool
  readonly nowMs: () => number
  behind(): Promise<readonly BehindInStream[]>
}

export type ClearNeeds = FollowNeeds & RemoveNeeds

/** Clears what it finds and tells of it. */
export async function clearRuns(needs: ClearNeeds, signal: AbortSignal, telling: Telling): Promise<void> {
  for await (const { kind, place, runs, last } of openDeletions(needs)) {
    await removeRemains(needs, kind, runs, signal, telling)
    if (signal.aborted) return
    await writePlace(needs.pool, place, last)
  }
}

/** Deletions that come after each other. */
interface DeletionPage {
  readonly kind: RunKind
  /** Under which name it is noted that they were followed up. */
  readonly place: string
  /** Runs that were deleted and not made again since. */
  readonly runs: readonly ClearedRun[]
  readonly first: Deletion
  readonly last: Deletion
}

/** The deletions that are to be followed up now, in each pass; of flow runs first, since their task runs leave with them. */
export async function* openDeletions({ pool, nowMs, behind }: FollowNeeds): AsyncGenerator<DeletionPage> {
  // What is still in the streams may be a deletion: it isn't passed over.
  const readMs = Math.min(...(await behind()).map(({ nextMs }) => nextMs)) - CLOCKS_MS
  for (const kind of [FLOW_RUNS, TASK_RUNS])
    for (const { again, graceMs } of PASSES) {
      const place = placeOf(kind, again)
      const untilMs = Math.min(nowMs() - graceMs, readMs)
      for (let after: DeletionPlace | null = await readPlace(pool, place); ; ) {
        const deletions: Deletion[] = await listDeletions(pool, kind.deleted, after, untilMs, PAGE)
        const [first, last] = [deletions[0], deletions.at(-1)]
        if (first === undefined || last === undefined) break
        yield { kind, place, runs: await clearable(pool, kind, deletions), first, last }
        after = last
      }
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

async function clearable(pool: Pool, kind: RunKind, deletions: readonly Deletion[]): Promise<ClearedRun[]> {
  const flowRuns = new Map(deletions.map(({ run, flowRunId }) => [run, flowRunId]))
  const ids = await runsGone(
    pool,
    kind,
    [...flowRuns.keys()].filter((id) => id !== null),
  )
  return ids.map((id) => ({ kind: kind.kind, id, flowRunId: flowRuns.get(id) ?? null }))
}
