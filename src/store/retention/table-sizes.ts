import type { Queryable } from '../checkpoint.ts'
import { estimatedRows } from './estimate.ts'

/** A table that is no day of the log. */
export interface TableSize {
  readonly table: string
  /** By Postgres' statistics. */
  readonly rows: number
  /** With its indexes. */
  readonly bytes: number
}

/** All tables beside the days of the log and what is being made or removed of these, the largest first. */
export async function tableSizes(db: Queryable): Promise<TableSize[]> {
  const { rows } = await db.query<TableSize>(
    `select c.relname as table, ${estimatedRows('c')} as rows,
       pg_total_relation_size(c.oid)::float8 as bytes
     from pg_class c
     where c.relkind = 'r' and c.relname !~ '^event_[0-9]{8}(_|$)'
       and c.relnamespace = (select relnamespace from pg_class where oid = 'event'::regclass)
     order by bytes desc, c.relname`,
  )
  return rows
}
