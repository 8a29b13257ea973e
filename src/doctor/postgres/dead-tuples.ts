/** Rows that were deleted or replaced, and that nobody has cleared away yet. */
import type { Queryable } from '#src/store/checkpoint.ts'
import { type Finding, type Limits, psql } from '../finding.ts'

interface Row {
  table: string
  live: number
  dead: number
  /** Dead rows at which autovacuum comes. */
  threshold: number
  enabled: boolean
  running: boolean
  last: string | null
}

/** One finding for a table at most: that autovacuum is off for it, that it lags, or else that much is dead. */
export async function deadTuples(db: Queryable, limits: Limits): Promise<Finding[]> {
  const { rows } = await db.query<Row>(QUERY)
  return rows
    .filter(({ live, dead }) => dead >= limits.deadRows && dead > limits.deadShare * (live + dead))
    .map((row) => findingOf(row, limits))
}

function findingOf({ table, live, dead, threshold, enabled, running, last }: Row, limits: Limits): Finding {
  const found = { level: 'warning', subject: `table ${table}` } as const
  const counts = `${dead} of ${live + dead} rows are dead`
  if (!enabled) {
    const remedy = psql(`alter table ${table} reset (autovacuum_enabled)`, `vacuum (analyze) ${table}`)
    return { check: 'autovacuum-off', ...found, what: `${counts}, and autovacuum is off for this table`, remedy }
  }
  const remedy = psql(`vacuum (analyze) ${table}`)
  if (running || dead < limits.overdue * threshold) return { check: 'dead-tuples', ...found, what: counts, remedy }
  const since = last === null ? 'it never came' : `it came last at ${last}`
  const what = `autovacuum lags: ${counts}, it should come at ${Math.round(threshold)}, and ${since}`
  return { check: 'autovacuum-lag', ...found, what, remedy }
}

const option = (name: string) =>
  `(select option_value from pg_options_to_table(c.reloptions) where option_name = '${name}')`
const either = (name: string) => `coalesce(${option(name)}, current_setting('${name}'))::float8`

/** A table's own options win over the server's; from 18 on there is a highest threshold. */
const QUERY = `
  select c.relname as table, s.n_live_tup::float8 as live, s.n_dead_tup::float8 as dead,
    least(${either('autovacuum_vacuum_threshold')} + ${either('autovacuum_vacuum_scale_factor')} * greatest(c.reltuples, 0),
      nullif(current_setting('autovacuum_vacuum_max_threshold', true)::float8, -1)) as threshold,
    coalesce(${option('autovacuum_enabled')}, 'true')::bool as enabled,
    exists (select from pg_stat_progress_vacuum v where v.relid = c.oid) as running,
    to_char(s.last_autovacuum at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as last
  from pg_stat_user_tables s join pg_class c on c.oid = s.relid
  where s.schemaname = current_schema() order by s.n_dead_tup desc`
