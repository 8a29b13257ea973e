/** The tables that rebuilds replaced, and what is noted of projections when tables change places. */
import type { Queryable } from '../checkpoint.ts'

/** The table that a projection had before. */
export interface KeptTable {
  readonly projection: string
  readonly table: string
  readonly version: number
  /** JSON: by partition `[ms, seq]`. */
  readonly positions: unknown
  readonly swappedAt: string
}

export async function readKept(db: Queryable): Promise<Map<string, KeptTable>> {
  const { rows } = await db.query<KeptTable>(
    `select projection, kept_table as table, version, positions,
       to_char(swapped_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as "swappedAt" from projection_kept`,
  )
  return new Map(rows.map((row) => [row.projection, row]))
}

/** Notes which table is kept, in place of one from before. */
export async function keepOld(
  tx: Queryable,
  kept: { readonly name: string; readonly table: string; readonly version: number; readonly places: string },
): Promise<void> {
  await tx.query(
    `insert into projection_kept (projection, kept_table, version, positions) values ($1, $2, $3, $4)
     on conflict (projection) do update set kept_table = $2, version = $3, positions = $4, swapped_at = now()`,
    [kept.name, kept.table, kept.version, kept.places],
  )
}

/** Forgets what was kept. The table's name, to be dropped; null when there was none. */
export async function forgetKept(tx: Queryable, projection: string): Promise<string | null> {
  const { rows } = await tx.query<{ table: string }>(
    'delete from projection_kept where projection = $1 returning kept_table as table',
    [projection],
  )
  return rows[0]?.table ?? null
}

/** Their tables are made by this code from the log, up to where the recorder is. */
export async function noteRebuilt(
  tx: Queryable,
  projections: readonly { readonly name: string; readonly version: number }[],
): Promise<void> {
  const names = projections.map(({ name }) => name)
  await tx.query(
    `update projection p set version = n.version, state = 'live', rebuilt_at = now(), held = false
     from unnest($1::text[], $2::int4[]) as n(name, version) where p.name = n.name`,
    [names, projections.map(({ version }) => version)],
  )
  await tx.query('delete from projection_behind where projection = any($1)', [names])
}

/**
 * Partitions of which a group has applied nothing, though the log has events of them: what came before the group began
 * was trimmed and never comes to it. It is put where the log is. Returns the partitions.
 */
export async function liftIdle(tx: Queryable, log: string, group: string): Promise<number[]> {
  const { rows } = await tx.query<{ partition: number }>(
    `insert into checkpoint as c ("group", partition, entry_ms, entry_seq, event_count, owner_epoch)
     select $2, partition, entry_ms, entry_seq, event_count, 1 from checkpoint where "group" = $1 and entry_ms > 0
     on conflict ("group", partition) do update
       set entry_ms = excluded.entry_ms, entry_seq = excluded.entry_seq, event_count = excluded.event_count,
         owner_epoch = c.owner_epoch + 1
     where c.entry_ms = 0 returning partition`,
    [log, group],
  )
  return rows.map(({ partition }) => partition)
}

/** The table is of this version again: it stays so, whatever the code's version is, until somebody rebuilds it. */
export async function holdVersion(tx: Queryable, projection: string, version: number): Promise<void> {
  await tx.query('update projection set version = $2, held = true where name = $1', [projection, version])
}
