/** Brings a schema back to what its migrations made of it, as far as that can be done while it is in use. */
import type { Queryable } from '../checkpoint.ts'
import { DAYS_AHEAD, dayOf, dayTable, isAttached, makeDay } from '../day-partitions.ts'
import { strayDays } from '../retention/log-days.ts'
import { readApplied } from './applied.ts'
import { type BuildStep, buildIndex } from './build-index.ts'
import { type MigrationFile, migrationFiles } from './files.ts'
import { readIndex, type UnfinishedIndex, unfinishedIndexes } from './index-state.ts'
import { type IndexToBuild, parseDescribed, partitionIndexName } from './index-statement.ts'
import { withSession } from './session.ts'
import { whileBusy } from './short-lock.ts'
import { type LockOptions, withUpgradeLock } from './upgrade-lock.ts'

/** Something to repair. */
export type Repair =
  | { readonly repair: 'build'; readonly index: IndexToBuild }
  /** What an interrupted `reindex concurrently` left beside the index that it was to replace. */
  | { readonly repair: 'drop'; readonly index: string; readonly table: string }
  /** Also moves the events of that day out of the default partition. */
  | { readonly repair: 'make-day'; readonly table: string; readonly day: number }

export interface RepairOptions extends LockOptions {
  /** Most milliseconds for one statement; 0 for no limit. */
  readonly timeoutMs: number
  readonly nowMs: () => number
  readonly onStep?: (step: BuildStep) => void
  readonly folder?: URL
}

/** What should be repaired; empty in health. What a process builds just now is left to it. */
export async function planRepair(url: string, options: Pick<RepairOptions, 'nowMs' | 'folder'>): Promise<Repair[]> {
  return withSession(url, ({ client }) => plan(client, options))
}

/** Repairs it. Returns what it did; what it can't do it throws. */
export async function repair(url: string, options: RepairOptions): Promise<Repair[]> {
  return withUpgradeLock(url, options, (lost) => {
    const signal = AbortSignal.any([lost, ...(options.signal ? [options.signal] : [])])
    return withSession(url, (worker) =>
      withSession(url, async (observer) => {
        await worker.limit(options.timeoutMs)
        const todo = await plan(worker.client, options)
        for (const each of todo) {
          signal.throwIfAborted()
          if (each.repair === 'build') await buildIndex({ worker, observer }, each.index, { ...options, signal })
          else if (each.repair === 'drop') await worker.client.query(`drop index concurrently if exists ${each.index}`)
          else await whileBusy(worker.client, { signal }, () => makeDay(worker.client, each.day))
        }
        return todo
      }),
    )
  })
}

/** `reindex concurrently` builds beside the old index under the first name, and drops the old one under the second. */
const REINDEX_LEFT = /_cc(new|old)\d*$/

async function plan(db: Queryable, { nowMs, folder }: Pick<RepairOptions, 'nowMs' | 'folder'>): Promise<Repair[]> {
  return [...(await indexRepairs(db, migrationFiles(folder))), ...(await dayRepairs(db, nowMs()))]
}

async function indexRepairs(db: Queryable, files: readonly MigrationFile[]): Promise<Repair[]> {
  const unfinished = (await unfinishedIndexes(db)).filter(({ state }) => state !== 'building')
  const repairs: Repair[] = []
  for (const { index, table, parent } of unfinished) {
    if (REINDEX_LEFT.test(index)) repairs.push({ repair: 'drop', index, table })
    else if (!unfinished.some((other) => other.table === parent && covers(other, index, table)))
      repairs.push({ repair: 'build', index: { ...(await definitionOf(db, index)), name: index, table } })
  }
  const planned = new Set(unfinished.map(({ index }) => index))
  for (const index of await ofMigrations(db, files)) {
    if (!planned.has(index.name) && (await readIndex(db, index.name)) === null) repairs.push({ repair: 'build', index })
  }
  return repairs
}

/** Whether an index of a parent is the one that a partition's index belongs to, and so is built with it. */
function covers(parent: UnfinishedIndex, index: string, table: string): boolean {
  return index.startsWith(partitionIndexName(parent.index, parent.table, table))
}

/** The indexes that applied files of their kind have built: somebody may have dropped one. */
async function ofMigrations(db: Queryable, files: readonly MigrationFile[]): Promise<IndexToBuild[]> {
  const applied = new Set((await readApplied(db)).map(({ name }) => name))
  return files.flatMap(({ name, indexes }) => (applied.has(name) ? (indexes ?? []) : []))
}

async function definitionOf(db: Queryable, index: string): Promise<Pick<IndexToBuild, 'unique' | 'definition'>> {
  const { rows } = await db.query<{ sql: string }>('select pg_get_indexdef(to_regclass($1)) as sql', [index])
  return parseDescribed(rows[0]?.sql ?? '')
}

async function dayRepairs(db: Queryable, nowMs: number): Promise<Repair[]> {
  const { rows } = await db.query<{ there: boolean }>(`select to_regclass('event') is not null as there`)
  if (!rows[0]?.there) return []
  const today = dayOf(nowMs)
  const days = new Set(Array.from({ length: DAYS_AHEAD + 1 }, (_, n) => today + n))
  for (const day of await strayDays(db, today + DAYS_AHEAD)) days.add(day)
  const missing: number[] = []
  for (const day of days) if (!(await isAttached(db, dayTable(day)))) missing.push(day)
  return missing.sort((a, b) => a - b).map((day) => ({ repair: 'make-day', table: dayTable(day), day }))
}
