/**
 * What belonged to a deleted flow run is cleared: its states, logs and so on. Whoever deleted it, the log has an event for
 * that, and by these the rows are found and named in events of their own, which their projections take. So a rebuild comes
 * to the same rows, and what a crash interrupts goes on from the last deletion that was followed up.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pMap from 'p-map'
import type { Pool } from 'pg'
import { type ClearedRows, clearedEvent } from '#src/events/flow-run-cleared.ts'
import { instantOfMs } from '#src/events/instant.ts'
import { uuidOf } from '#src/events/set-fields.ts'
import { ARTIFACTS, type Commands, FLOW_RUN_INPUTS } from '#src/orchestration/index.ts'
import {
  type DeletionPlace,
  hasDeletions,
  listCleared,
  listDeleted,
  listDeletions,
  type Remain,
  readPlace,
  runsGone,
  writePlace,
} from '#src/store/retention/run-remains.ts'
import type { BehindInStream } from './plan.ts'

/** Each deletion is followed up soon, and once more when nobody sends anything of that run any more. */
const PASSES = [
  { name: 'deleted-runs', graceMs: 30_000 },
  { name: 'deleted-runs-again', graceMs: 3_600_000 },
] as const
const LAST = PASSES[1].name
/** Clocks of API servers may differ by so much. */
const CLOCKS_MS = 60_000
const PAGE = 200
/** Rows in one round, or somewhat more; an id is 39 bytes of an event. */
const ROWS = 1_000
const PAUSE_FACTOR = 3
/** Commands at once. */
const AT_ONCE = 20

export interface ClearNeeds {
  readonly pool: Pool
  readonly commands: Commands
  readonly nowMs: () => number
  readonly newId: () => string
  behind(): Promise<readonly BehindInStream[]>
}

/** Returns how many rows of each table were cleared. */
export async function clearRuns(
  needs: ClearNeeds,
  signal: AbortSignal,
  onProgress: (rows: number) => void,
): Promise<ReadonlyMap<string, number>> {
  const behind = await needs.behind()
  // What is still in the streams may be a deletion: it isn't passed over.
  const readMs = Math.min(...behind.map(({ nextMs }) => nextMs)) - CLOCKS_MS
  const counts = new Map<string, number>()
  let sum = 0
  const onCleared = (rows: readonly Remain[]) => {
    for (const { table } of rows) counts.set(table, (counts.get(table) ?? 0) + 1)
    sum += rows.length
    onProgress(sum)
  }
  for (const { name, graceMs } of PASSES)
    await follow(needs, name, Math.min(needs.nowMs() - graceMs, readMs), signal, onCleared)
  return counts
}

/** Whether deletions in a table of the log have not been followed up for the last time: then it has to stay. */
export async function isFollowedUp(pool: Pool, table: string): Promise<boolean> {
  return !(await hasDeletions(pool, table, await readPlace(pool, LAST)))
}

type OnCleared = (rows: readonly Remain[]) => void

async function follow(
  needs: ClearNeeds,
  name: string,
  untilMs: number,
  signal: AbortSignal,
  onCleared: OnCleared,
): Promise<void> {
  const { pool } = needs
  for (let after: DeletionPlace | null = await readPlace(pool, name); ; ) {
    const deletions = await listDeletions(pool, after, untilMs, PAGE)
    const last = deletions.at(-1)
    if (last === undefined) return
    const ids = deletions.flatMap(({ resourceId }) => uuidOf(resourceId) ?? [])
    await clear(needs, await runsGone(pool, ids), signal, onCleared)
    if (signal.aborted) return
    await writePlace(pool, name, last)
    after = last
  }
}

async function clear(
  needs: ClearNeeds,
  runs: readonly string[],
  signal: AbortSignal,
  onCleared: OnCleared,
): Promise<void> {
  await untilNone(runs, listDeleted, (found) => deleteEach(needs, found), needs, signal, onCleared)
  await untilNone(runs, listCleared, (found) => appendCleared(needs, found), needs, signal, onCleared)
}

/** Pages of rows, each found anew: those of the page before are gone by then. */
async function untilNone(
  runs: readonly string[],
  list: typeof listCleared,
  remove: (found: readonly Remain[]) => Promise<void>,
  { pool }: ClearNeeds,
  signal: AbortSignal,
  onCleared: OnCleared,
): Promise<void> {
  let before = new Set<string>()
  while (runs.length > 0 && !signal.aborted) {
    const began = performance.now()
    const found = await list(pool, runs, ROWS)
    if (found.length === 0) return
    if (found.some(({ id }) => before.has(id)))
      throw new Error('rows of deleted runs are still there after the event that removes them: see the dead letters')
    await remove(found)
    before = new Set(found.map(({ id }) => id))
    onCleared(found)
    await sleep(PAUSE_FACTOR * (performance.now() - began), undefined, { signal }).catch(() => {})
  }
}

function appendCleared({ commands, newId, nowMs }: ClearNeeds, found: readonly Remain[]): Promise<void> {
  const now = instantOfMs(nowMs()).iso
  return commands.events([...byRun(found)].map(([run, cleared]) => clearedEvent(run, cleared, newId(), now)))
}

async function deleteEach({ commands }: ClearNeeds, found: readonly Remain[]): Promise<void> {
  const remove = async ({ table, id }: Remain): Promise<void> => {
    if (table === 'artifact') await commands.record(ARTIFACTS, id, { type: 'delete' })
    else await commands.record(FLOW_RUN_INPUTS, id, { type: 'delete' })
  }
  await pMap(found, remove, { concurrency: AT_ONCE })
}

function byRun(remains: readonly Remain[]): Map<string, ClearedRows> {
  const runs = Map.groupBy(remains, ({ run }) => run)
  return new Map(
    [...runs].map(([run, rows]) => {
      const tables = Map.groupBy(rows, ({ table }) => table)
      return [run, Object.fromEntries([...tables].map(([table, those]) => [table, those.map(({ id }) => id)]))]
    }),
  )
}
