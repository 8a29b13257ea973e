/** What the catalogue says of indexes that are being built, or whose building was interrupted. */
import type { Queryable } from '../checkpoint.ts'

/** An index on one table, or on the parent of partitions. */
export interface IndexState {
  readonly table: string
  /** False while it is built, when that was interrupted, and for a parent as long as a partition lacks it. */
  readonly valid: boolean
}

/** How far the building of an index is. */
export interface BuildProgress {
  /** In Postgres' words: `building index: scanning table`, `waiting for old snapshots` … */
  readonly phase: string
  /** Of this phase, from 0 to 1; null where Postgres doesn't say. */
  readonly share: number | null
  /** Process that this phase waits for; null when it waits for none. */
  readonly waitsFor: number | null
}

/** An index that isn't usable, and whether anybody is at it. */
export interface UnfinishedIndex {
  readonly index: string
  readonly table: string
  /** The table that `table` is a partition of. */
  readonly parent: string | null
  /** `building`: a process is at it; `interrupted`: its building ended half-way; `partial`: not all partitions have it. */
  readonly state: 'building' | 'interrupted' | 'partial'
  readonly progress: BuildProgress | null
}

/** Partitions of a table that lack an index of their parent, the smallest first. */
export async function partitionsWithout(db: Queryable, table: string, index: string): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(
    `select t.relname as name from pg_inherits i join pg_class t on t.oid = i.inhrelid
     where i.inhparent = $1::regclass and not i.inhdetachpending and not exists (
       select from pg_inherits a join pg_index x on x.indexrelid = a.inhrelid
       where a.inhparent = $2::regclass and x.indrelid = t.oid)
     order by pg_relation_size(t.oid), t.relname`,
    [table, index],
  )
  return rows.map(({ name }) => name)
}

/** Null when no index has this name. */
export async function readIndex(db: Queryable, index: string): Promise<IndexState | null> {
  const { rows } = await db.query<IndexState>(
    `select t.relname as table, x.indisvalid as valid
     from pg_index x join pg_class c on c.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
     where c.relname = $1 and c.relnamespace = current_schema()::regnamespace`,
    [index],
  )
  return rows[0] ?? null
}

/** Whether a table has partitions; null when there is no such table. */
export async function isPartitioned(db: Queryable, table: string): Promise<boolean | null> {
  const { rows } = await db.query<{ kind: string }>(
    'select relkind as kind from pg_class where relname = $1 and relnamespace = current_schema()::regnamespace',
    [table],
  )
  return rows[0] === undefined ? null : rows[0].kind === 'p'
}

/** How far a process is with building an index; null when none is at it. */
export async function readProgress(db: Queryable, index: string): Promise<(BuildProgress & { pid: number }) | null> {
  const { rows } = await db.query<ProgressRow & { pid: number }>(
    `select pid, ${PROGRESS} from pg_stat_progress_create_index p where index_relid = to_regclass($1)`,
    [index],
  )
  return rows[0] === undefined ? null : { pid: rows[0].pid, ...progressOf(rows[0]) }
}

/** Every index of this schema that isn't usable. */
export async function unfinishedIndexes(db: Queryable): Promise<UnfinishedIndex[]> {
  const { rows } = await db.query<
    ProgressRow & { index: string; table: string; parent: string | null; whole: boolean }
  >(
    `select c.relname as index, t.relname as table, c.relkind = 'I' as whole,
       (select p.relname from pg_inherits i join pg_class p on p.oid = i.inhparent where i.inhrelid = t.oid) as parent,
       ${PROGRESS}
     from pg_index x join pg_class c on c.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
     left join pg_stat_progress_create_index p on p.index_relid = x.indexrelid
     where not x.indisvalid and c.relnamespace = current_schema()::regnamespace
     order by t.relname, c.relname`,
  )
  return rows.map(({ index, table, parent, whole, ...row }) => {
    const which = { index, table, parent }
    if (row.phase !== null) return { ...which, state: 'building', progress: progressOf(row) }
    return { ...which, state: whole ? 'partial' : 'interrupted', progress: null }
  })
}

interface ProgressRow {
  phase: string
  share: number | null
  waits_for: number | null
}

/** Which of its counters moves depends on the phase. */
const PROGRESS = `p.phase, nullif(p.current_locker_pid, 0)::int4 as waits_for, case
  when p.phase like 'waiting%' then p.lockers_done::float8 / nullif(p.lockers_total, 0)
  when p.blocks_total > 0 then p.blocks_done::float8 / p.blocks_total
  when p.tuples_total > 0 then p.tuples_done::float8 / p.tuples_total end as share`

function progressOf({ phase, share, waits_for }: ProgressRow): BuildProgress {
  return { phase, share: share === null ? null : Math.min(1, share), waitsFor: waits_for }
}
