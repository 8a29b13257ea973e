/** A row of about 600 bytes of JSON, without its indexes: for a table that nobody has counted yet. */
const ROW_BYTES = 900

/**
 * SQL that estimates a table's rows as the planner does, by how many were in its pages when it was analysed last. (The
 * counter of live rows is reset by crashes, and counts rows twice for a moment after an `analyze`.)
 * @param c the alias of its row in pg_class
 */
export function estimatedRows(c: string): string {
  const bytes = `pg_relation_size(${c}.oid)::float8`
  return `round(case when ${c}.reltuples > 0 and ${c}.relpages > 0
      then ${c}.reltuples * ${bytes} / current_setting('block_size')::float8 / ${c}.relpages
      else coalesce(nullif(pg_stat_get_live_tuples(${c}.oid), 0), ${bytes} / ${ROW_BYTES}) end::float8)::float8`
}
