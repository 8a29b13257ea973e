/** Indexes that cost every write and that no query has used. */
import type { Queryable } from '#src/store/checkpoint.ts'
import { migrationFiles } from '#src/store/schema/files.ts'
import { type Finding, type Limits, psql } from '../finding.ts'

/**
 * Those that somebody has added: the ones of our migrations are there for queries that may yet come, and `repair` would
 * build them again. On a table with partitions an index counts as one. Tables on their way in or out, which retention and
 * rebuilds have beside the real ones, nobody queries: their indexes leave with them.
 */
export async function unusedIndexes(db: Queryable, limits: Limits): Promise<Finding[]> {
  const { rows } = await db.query<{ name: string; table: string; bytes: number; forMs: number; parent: boolean }>(QUERY)
  const own = ownIndexes()
  return rows
    .filter(({ name, bytes, forMs }) => bytes >= limits.unusedBytes && forMs >= limits.unusedMs && !own.has(name))
    .map(({ name, table, bytes, forMs, parent }) => ({
      check: 'unused-index',
      level: 'warning',
      subject: `index ${name}`,
      what: `no query has used it for ${Math.floor(forMs / 86_400_000)} days; it takes ${Math.round(bytes / 1024)} KiB and slows writes to ${table}`,
      remedy: psql(`drop index ${parent ? '' : 'concurrently '}${name}`),
    }))
}

function ownIndexes(): Set<string> {
  const names = migrationFiles().flatMap(({ sql }) => [...sql.matchAll(/create\s+(?:unique\s+)?index\s+(\w+)/gi)])
  return new Set(names.map((match) => match[1] ?? ''))
}

/** Counted since the statistics were reset, which also a crash does. */
const QUERY = `
  select r.relname as name, t.relname as table, r.relkind = 'I' as parent, sum(pg_relation_size(s.indexrelid))::float8 as bytes,
    extract(epoch from now() - coalesce(d.stats_reset, pg_postmaster_start_time()))::float8 * 1000 as "forMs"
  from pg_stat_user_indexes s
  join pg_class r on r.oid = coalesce(pg_partition_root(s.indexrelid), s.indexrelid)
  join pg_index x on x.indexrelid = r.oid join pg_class t on t.oid = x.indrelid
  join pg_stat_database d on d.datname = current_database()
  where s.schemaname = current_schema() and x.indisvalid and not x.indisunique
    and t.relname !~ '^event_[0-9]{8}_(gone_[0-9]+|kept)$' and t.relname !~ '__(new|old|from)$'
  group by r.oid, r.relname, r.relkind, t.relname, d.stats_reset having sum(s.idx_scan) = 0
  order by bytes desc`
