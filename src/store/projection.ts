/** The table `projection`: which version of its code made the rows of each projection's table, and whether they are all. */
import type { Queryable } from './checkpoint.ts'

/** `live`: its rows are made of all the log's events; `partial`: the log has events that it has not seen. */
export type ProjectionState = 'live' | 'partial'

/** What is known of a projection's table. */
export interface KnownProjection {
  readonly name: string
  /** Of the code that made its rows. */
  readonly version: number
  readonly state: ProjectionState
}

/** By name. */
export async function readProjections(db: Queryable): Promise<Map<string, KnownProjection>> {
  const { rows } = await db.query<KnownProjection>('select name, version, state from projection')
  return new Map(rows.map((row) => [row.name, row]))
}

/** Takes note of projections that begin; those that are known stay as they are. */
export async function registerProjections(db: Queryable, projections: readonly KnownProjection[]): Promise<void> {
  await db.query(
    `insert into projection (name, version, state)
     select * from unnest($1::text[], $2::int4[], $3::text[]) on conflict (name) do nothing`,
    [
      projections.map(({ name }) => name),
      projections.map(({ version }) => version),
      projections.map(({ state }) => state),
    ],
  )
}

/** Takes note that tables lack events that the log has: they are rebuilt. */
export async function markPartial(tx: Queryable, names: readonly string[]): Promise<void> {
  await tx.query(`update projection set state = 'partial' where name = any($1::text[]) and state <> 'partial'`, [names])
}

/** True when the log has an event of a partition from before a position. */
export async function hasEventBefore(
  db: Queryable,
  partition: number,
  { ms, seq }: { readonly ms: number; readonly seq: number },
): Promise<boolean> {
  const { rowCount } = await db.query(
    'select from event where partition = $1 and (entry_ms, entry_seq) < ($2::int8, $3::int8) limit 1',
    [partition, ms, seq],
  )
  return rowCount === 1
}

/** Rows of tables, as Postgres estimates them: after the last vacuum or analyze. By table; null before the first. */
export async function estimateRows(db: Queryable, tables: readonly string[]): Promise<Map<string, number | null>> {
  const { rows } = await db.query<{ name: string; rows: number }>(
    `select name, reltuples::float8 as rows from unnest($1::text[]) as name join pg_class on oid = to_regclass(name)`,
    [tables],
  )
  return new Map(rows.map(({ name, rows }) => [name, rows < 0 ? null : rows]))
}

/** Dead letters of groups; those that have none are left out. */
export async function countLettersOf(db: Queryable, groups: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await db.query<{ group: string; count: number }>(
    'select "group", count(*)::int4 as count from dead_letter where "group" = any($1::text[]) group by "group"',
    [groups],
  )
  return new Map(rows.map(({ group, count }) => [group, count]))
}
