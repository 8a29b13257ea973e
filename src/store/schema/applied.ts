/** The table `migration`: which migrations a database has. It is made here, since it comes before all of them. */
import type { Queryable } from '../checkpoint.ts'
import type { MigrationFile } from './files.ts'

export interface AppliedMigration {
  readonly name: string
  /** Of its file when it was applied; null where a release did so that kept none. */
  readonly checksum: string | null
}

/** In the order of their names; empty for a database that never had any. */
export async function readApplied(db: Queryable): Promise<AppliedMigration[]> {
  const { rows } = await db.query<{ table: boolean; checksum: boolean }>(
    `select count(*) > 0 as table, count(*) filter (where attname = 'checksum') > 0 as checksum
     from pg_attribute where attrelid = to_regclass('migration')`,
  )
  if (!rows[0]?.table) return []
  const checksum = rows[0].checksum ? 'checksum' : 'null::text as checksum'
  return (await db.query<AppliedMigration>(`select name, ${checksum} from migration order by name`)).rows
}

/** Makes the table, or adds what an earlier release's lacks. */
export async function prepareApplied(db: Queryable): Promise<void> {
  await db.query(
    `create table if not exists migration (name text primary key, applied_at timestamptz not null default now());
     alter table migration add column if not exists checksum text`,
  )
}

/** Notes that the database has it, in the transaction that makes it so. */
export async function noteApplied(db: Queryable, { name, checksum }: MigrationFile): Promise<void> {
  await db.query('insert into migration (name, checksum) values ($1, $2)', [name, checksum])
}

/** Gives those that a release applied which kept no checksums the ones of these files. */
export async function fillChecksums(db: Queryable, files: readonly MigrationFile[]): Promise<void> {
  await db.query(
    `update migration m set checksum = f.checksum from unnest($1::text[], $2::text[]) as f(name, checksum)
     where m.name = f.name and m.checksum is null`,
    [files.map(({ name }) => name), files.map(({ checksum }) => checksum)],
  )
}

/** Notes that the database has these as they are, whatever was noted of them. */
export async function stampApplied(db: Queryable, files: readonly MigrationFile[]): Promise<void> {
  await db.query(
    `insert into migration (name, checksum) select * from unnest($1::text[], $2::text[])
     on conflict (name) do update set checksum = excluded.checksum`,
    [files.map(({ name }) => name), files.map(({ checksum }) => checksum)],
  )
}

/** Notes that the database doesn't have these. */
export async function forgetApplied(db: Queryable, files: readonly MigrationFile[]): Promise<void> {
  await db.query('delete from migration where name = any($1)', [files.map(({ name }) => name)])
}
