/** Removes the rows of deleted runs, in pages, by events and commands. */
import { setTimeout as sleep } from 'node:timers/promises'
import pMap from 'p-map'
import type { Pool } from 'pg'
import { CommandInvalid } from '#src/errors.ts'
import { instantOfMs } from '#src/events/instant.ts'
import { type ClearedRows, type ClearedRun, clearedEvent } from '#src/events/run-cleared.ts'
import { ARTIFACTS, type Commands, FLOW_RUN_INPUTS } from '#src/orchestration/index.ts'
import { listCleared, listCommanded, type Remain, type RunKind } from '#src/store/retention/run-remains.ts'

/** Rows in one round, or somewhat more; an id is 39 bytes of an event, that of a resource 57. */
const ROWS = 1_000
const PAUSE_FACTOR = 3
/** Commands at once. */
const AT_ONCE = 20

export interface RemoveNeeds {
  readonly pool: Pool
  readonly commands: Commands
  readonly nowMs: () => number
  readonly newId: () => string
}

/** Who is told what became of rows. */
export interface Telling {
  onCleared(rows: readonly Remain[]): void
  /** They are still there after what removes them: their projection waits behind a dead letter, or is left behind. */
  onStuck(rows: readonly Remain[]): void
}

/** Removes what runs of one kind have left behind; rows that stay are passed over. */
export async function removeRemains(
  needs: RemoveNeeds,
  kind: RunKind,
  runs: readonly ClearedRun[],
  signal: AbortSignal,
  telling: Telling,
): Promise<void> {
  const ids = runs.map(({ id }) => id)
  const { pool } = needs
  await untilNone(
    (limit) => listCommanded(pool, kind, ids, limit),
    (found) => deleteEach(needs, found),
    signal,
    telling,
  )
  await untilNone(
    (limit) => listCleared(pool, kind, ids, limit),
    (found) => appendCleared(needs, runs, found),
    signal,
    telling,
  )
}

/** Pages of rows, each found anew: those of the page before are gone by then. */
async function untilNone(
  list: (limit: number) => Promise<readonly Remain[]>,
  remove: (found: readonly Remain[]) => Promise<void>,
  signal: AbortSignal,
  { onCleared, onStuck }: Telling,
): Promise<void> {
  let before: readonly Remain[] = []
  const stuck = new Set<string>()
  while (!signal.aborted) {
    const began = performance.now()
    const found = (await list(ROWS + stuck.size)).filter((row) => !stuck.has(keyOf(row)))
    const there = new Set(found.map(keyOf))
    const [stays, gone] = [
      before.filter((row) => there.has(keyOf(row))),
      before.filter((row) => !there.has(keyOf(row))),
    ]
    if (gone.length > 0) onCleared(gone)
    if (stays.length > 0) onStuck(stays)
    for (const row of stays) stuck.add(keyOf(row))
    before = found.filter((row) => !stuck.has(keyOf(row)))
    if (before.length === 0) return
    await remove(before)
    await sleep(PAUSE_FACTOR * (performance.now() - began), undefined, { signal }).catch(() => {})
  }
}

function keyOf({ table, id }: Remain): string {
  return `${table} ${id}`
}

async function appendCleared(
  { commands, newId, nowMs }: RemoveNeeds,
  runs: readonly ClearedRun[],
  found: readonly Remain[],
): Promise<void> {
  const now = instantOfMs(nowMs()).iso
  const byRun = Map.groupBy(found, ({ run }) => run)
  const events = runs.flatMap((run) => {
    const rows = byRun.get(run.id)
    return rows === undefined ? [] : [clearedEvent(run, byTable(rows), newId(), now)]
  })
  await commands.events(events).catch(unlessInvalid)
}

async function deleteEach({ commands }: RemoveNeeds, found: readonly Remain[]): Promise<void> {
  const remove = async ({ table, id }: Remain): Promise<void> => {
    if (table === 'artifact') await commands.record(ARTIFACTS, id, { type: 'delete' }).catch(unlessInvalid)
    else await commands.record(FLOW_RUN_INPUTS, id, { type: 'delete' }).catch(unlessInvalid)
  }
  await pMap(found, remove, { concurrency: AT_ONCE })
}

/** Rows of which no valid event can be made, such as under limits that were lowered, are found to be there still. */
function unlessInvalid(error: unknown): void {
  if (!(error instanceof CommandInvalid)) throw error
}

function byTable(rows: readonly Remain[]): ClearedRows {
  const tables = Map.groupBy(rows, ({ table }) => table)
  return Object.fromEntries([...tables].map(([table, those]) => [table, those.map(({ id }) => id)]))
}
