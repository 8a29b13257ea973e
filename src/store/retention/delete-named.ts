/** Events of one name leave the log before their day does: in batches, in the order of an index. */
import type { Queryable } from '../checkpoint.ts'

const FIRST_ID = '00000000-0000-0000-0000-000000000000'

/** Where a day's batch of deletes goes on. */
export interface NameKey {
  readonly occurred: string
  readonly id: string
}

/** Events of one name in one day, in the order of their index. */
export interface NamedBatch {
  readonly table: string
  readonly name: string
  readonly beforeMs: number
  readonly after: NameKey | null
  readonly applied: { readonly ms: readonly string[]; readonly seq: readonly string[] }
  readonly limit: number
}

/**
 * Deletes the next events of a name that occurred before a moment, if every group has applied them. Found by the index
 * on names and removed by their place, so that nothing is read twice and nothing is sorted.
 */
export async function deleteNamed(
  db: Queryable,
  { table, name, beforeMs, after, applied, limit }: NamedBatch,
): Promise<{ readonly deleted: number; readonly last: NameKey | null }> {
  const { rows } = await db.query<{ deleted: number; occurred: string; id: string }>(
    `with gone as materialized (
       select ctid, occurred, id, (entry_ms, entry_seq) <= (($6::int8[])[partition + 1], ($7::int8[])[partition + 1]) as applied
       from ${table}
       where event = $1 and occurred < to_timestamp($2::float8 / 1000) and (occurred, id) > ($3::timestamptz, $4::uuid)
       order by occurred, id limit $5
     ), removed as (
       delete from ${table} where ctid = any(array(select ctid from gone where applied)) returning 1
     )
     select (select count(*) from removed)::int4 as deleted, occurred::text as occurred, id::text as id
     from gone order by gone.occurred desc, gone.id desc limit 1`,
    [name, beforeMs, after?.occurred ?? '-infinity', after?.id ?? FIRST_ID, limit, applied.ms, applied.seq],
  )
  const [row] = rows
  return row === undefined
    ? { deleted: 0, last: null }
    : { deleted: row.deleted, last: { occurred: row.occurred, id: row.id } }
}

/** Events of a name that are due in a day; instants are canonical. */
export interface NamedDue {
  readonly events: number
  readonly oldest: string | null
  readonly newest: string | null
}

/** How many events of a name occurred before a moment, counted from the oldest up to a bound. */
export async function lookAtNamed(
  db: Queryable,
  table: string,
  name: string,
  beforeMs: number,
  most: number,
): Promise<NamedDue> {
  const shown = (instant: string) => `to_char(${instant} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
  const { rows } = await db.query<NamedDue>(
    `select count(*)::int4 as events, ${shown('min(occurred)')} as oldest, ${shown('max(occurred)')} as newest from (
       select occurred from ${table} where event = $1 and occurred < to_timestamp($2::float8 / 1000)
       order by occurred, id limit $3) found`,
    [name, beforeMs, most],
  )
  return rows[0] as NamedDue
}
