/** Tables of which rows leave by their age alone: in batches, each found by an index. */
import type { Queryable } from '../checkpoint.ts'
import { estimatedRows } from './estimate.ts'

/** Such a table. Its parts are names of ours, never anything from outside. */
export interface Ledger {
  readonly table: string
  /** The column that says how old a row is. */
  readonly at: string
  /** Columns in whose order an index has the rows, those of their age; without it they leave in any order. */
  readonly order?: string
  /** The rows that it is about; all, unless said. */
  readonly only?: string
  /** Rows that stay whatever their age. */
  readonly except?: string
}

/** What is past its retention in a table; instants are canonical. */
export interface LedgerDue {
  /** Counted up to a bound. */
  readonly rows: number
  readonly oldest: string | null
  readonly newest: string | null
  /** Their share of the table's size, by Postgres' statistics. */
  readonly bytes: number
}

/** Deletes rows from before a moment, the oldest first where an index has them so, passing over those that somebody else holds. Returns how many. */
export async function deleteDue(db: Queryable, ledger: Ledger, beforeMs: number, limit: number): Promise<number> {
  const { table } = ledger
  const { rowCount } = await db.query(
    `delete from ${table} where ctid = any(array(
       select ctid from ${table} where ${dueIn(ledger)} ${orderOf(ledger)} limit $2 for update skip locked))`,
    [beforeMs, limit],
  )
  return rowCount ?? 0
}

/** How much is due, without reading more than so many rows. */
export async function lookAtDue(db: Queryable, ledger: Ledger, beforeMs: number, most: number): Promise<LedgerDue> {
  const { table, at } = ledger
  const shown = (instant: string) => `to_char(${instant} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
  const { rows } = await db.query<LedgerDue>(
    `select rows, oldest, newest,
       round(pg_total_relation_size(c.oid) * rows / greatest(rows, ${estimatedRows('c')}, 1))::float8 as bytes
     from (select count(*)::int4 as rows, ${shown('min(at)')} as oldest, ${shown('max(at)')} as newest
           from (select ${at} as at from ${table} where ${dueIn(ledger)} ${orderOf(ledger)} limit $2) due) counted
     join pg_class c on c.oid = '${table}'::regclass`,
    [beforeMs, most],
  )
  return rows[0] as LedgerDue
}

function orderOf({ order }: Ledger): string {
  return order === undefined ? '' : `order by ${order}`
}

function dueIn({ at, only = 'true', except = 'false' }: Ledger): string {
  return `${at} < to_timestamp($1::float8 / 1000) and ${only} and not (${except})`
}
