/** What a database has and lacks. */
import type { Queryable } from '../checkpoint.ts'
import { readApplied } from './applied.ts'
import type { MigrationFile } from './files.ts'
import { type UnfinishedIndex, unfinishedIndexes } from './index-state.ts'
import type { IndexToBuild } from './index-statement.ts'

/** A migration that a database does not have yet. */
export interface PendingMigration {
  readonly name: string
  /** The first comment of its file. */
  readonly why: string
  /** The indexes that it builds while their tables are in use; null when it is applied in a transaction. */
  readonly builds: readonly PendingIndex[] | null
}

export interface PendingIndex {
  readonly index: string
  readonly table: string
  /** How many there are, with a parent's partitions: each is built for itself. */
  readonly tables: number
  /** To be read through: of the tables, without their indexes. */
  readonly bytes: number
}

export interface MigrationStatus {
  /** Name of the newest migration the database has; null for an empty one. */
  readonly current: string | null
  /** Of this release; null when it has none. */
  readonly newestKnown: string | null
  readonly pending: readonly PendingMigration[]
  /** The database has migrations that this release does not know. */
  readonly tooNew: boolean
  /** Migrations whose files had other contents when they were applied. */
  readonly changed: readonly string[]
  /** Indexes that can't be used, pending or not. */
  readonly unfinished: readonly UnfinishedIndex[]
}

/** Reads it, without changing anything. */
export async function readStatus(db: Queryable, files: readonly MigrationFile[]): Promise<MigrationStatus> {
  const applied = await readApplied(db)
  const checksums = new Map(applied.map(({ name, checksum }) => [name, checksum]))
  const known = new Set(files.map(({ name }) => name))
  return {
    current: applied.at(-1)?.name ?? null,
    newestKnown: files.at(-1)?.name ?? null,
    pending: await pendingOf(
      db,
      files.filter(({ name }) => !checksums.has(name)),
    ),
    tooNew: applied.some(({ name }) => !known.has(name)),
    changed: files
      .filter(({ name, checksum }) => (checksums.get(name) ?? checksum) !== checksum)
      .map(({ name }) => name),
    unfinished: await unfinishedIndexes(db),
  }
}

async function pendingOf(db: Queryable, files: readonly MigrationFile[]): Promise<PendingMigration[]> {
  const pending: PendingMigration[] = []
  for (const { name, why, indexes } of files)
    pending.push({ name, why, builds: indexes && (await sizesOf(db, indexes)) })
  return pending
}

/** Partitions count, and their parent, which holds nothing, doesn't. */
async function sizesOf(db: Queryable, indexes: readonly IndexToBuild[]): Promise<PendingIndex[]> {
  const { rows } = await db.query<PendingIndex>(
    `select i.index, i.table, count(t)::int4 as tables, coalesce(sum(pg_table_size(t)), 0)::float8 as bytes
     from unnest($1::text[], $2::text[]) with ordinality as i(index, "table", nr)
     left join lateral (select relid as t from pg_partition_tree(to_regclass(i.table)) where isleaf) leaves on true
     group by i.index, i.table, nr order by nr`,
    [indexes.map(({ name }) => name), indexes.map(({ table }) => table)],
  )
  return rows
}
