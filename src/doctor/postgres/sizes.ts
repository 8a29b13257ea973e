import type { Queryable } from '#src/store/checkpoint.ts'

/** What a table takes; partitions count for themselves. */
export interface Size {
  readonly table: string
  /** By Postgres' statistics. */
  readonly rows: number
  readonly bytes: number
  readonly indexBytes: number
  readonly totalBytes: number
}

/** All tables of the schema, the largest first. */
export async function readSizes(db: Queryable): Promise<Size[]> {
  const { rows } = await db.query<Size>(
    `select relname as table, greatest(pg_stat_get_live_tuples(oid), reltuples, 0)::float8 as rows,
       pg_table_size(oid)::float8 as bytes, pg_indexes_size(oid)::float8 as "indexBytes",
       pg_total_relation_size(oid)::float8 as "totalBytes"
     from pg_class where relkind = 'r' and relnamespace = current_schema()::regnamespace
     order by "totalBytes" desc, relname`,
  )
  return rows
}
