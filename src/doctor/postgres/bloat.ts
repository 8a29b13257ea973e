/**
 * Empty space inside of tables and indexes, estimated: what the rows should take by their average width, against what there
 * is. After https://github.com/ioguix/pgsql-bloat-estimation, without its corrections for alignment: wrong by some per
 * cent, where a finding asks for half. Exact figures need the extension pgstattuple and a read of the whole table.
 */
import type { Queryable } from '#src/store/checkpoint.ts'
import { type Finding, type Limits, psql } from '../finding.ts'

interface Row {
  name: string
  bytes: number
  expected: number
}

/** Tables and B-trees that `analyze` has seen; others can't be estimated. */
export async function bloat(db: Queryable, limits: Limits): Promise<Finding[]> {
  const tables = (await db.query<Row>(TABLES)).rows.filter((row) => isBloated(row, limits))
  const indexes = (await db.query<Row>(INDEXES)).rows.filter((row) => isBloated(row, limits))
  return [
    ...tables.map((row) => ({
      ...findingOf('table', row),
      remedy: `${psql(`vacuum (full, analyze) ${row.name}`)}   # nobody can use the table meanwhile; pg_repack does without`,
    })),
    ...indexes.map((row) => ({
      ...findingOf('index', row),
      remedy: psql(`reindex index concurrently ${row.name}`),
    })),
  ]
}

function isBloated({ bytes, expected }: Row, { bloatBytes, bloatShare }: Limits): boolean {
  const wasted = bytes - expected
  return wasted >= bloatBytes && wasted > bloatShare * bytes
}

function findingOf(kind: 'table' | 'index', { name, bytes, expected }: Row): Omit<Finding, 'remedy'> {
  const share = Math.round((100 * (bytes - expected)) / bytes)
  const what = `about ${share} % of its ${mib(bytes)} MiB are empty: its rows should take ${mib(expected)} MiB`
  return { check: `${kind}-bloat`, level: 'warning', subject: `${kind} ${name}`, what }
}

function mib(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1)
}

/** A page has a head of 24 bytes, a row one of 24 and a pointer of 4; both begin at multiples of 8. */
const TABLES = `
  select c.relname as name, pg_relation_size(c.oid)::float8 as bytes,
    8192 * ceil(c.reltuples::float8 * (28 + ceil(width / 8) * 8)
      / (8168 * coalesce((select option_value::float8 from pg_options_to_table(c.reloptions) where option_name = 'fillfactor'), 100) / 100)
    ) as expected
  from pg_class c join lateral (
    select sum((1 - null_frac) * avg_width)::float8 as width, count(*) as columns from pg_stats
    where schemaname = current_schema() and tablename = c.relname
  ) stats on true
  where c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace and c.reltuples >= 0 and columns > 0`

/** An entry has a head of 8 and a pointer of 4, and pages are filled to 90 %. Equal keys are kept once, so this is the most. */
const INDEXES = `
  select i.relname as name, pg_relation_size(i.oid)::float8 as bytes,
    8192 * ceil(i.reltuples::float8 * (12 + ceil(width / 8) * 8) / (8152 * 0.9)) as expected
  from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
  join pg_am on pg_am.oid = i.relam and amname = 'btree'
  join lateral (
    select sum(coalesce((1 - null_frac) * avg_width, 8))::float8 as width
    from unnest(x.indkey::int2[]) with ordinality as k(attnum, place)
    left join pg_attribute a on a.attrelid = case when k.attnum = 0 then i.oid else t.oid end
      and a.attnum = case when k.attnum = 0 then k.place else k.attnum end
    left join pg_stats s on s.schemaname = current_schema() and s.attname = a.attname
      and s.tablename = case when k.attnum = 0 then i.relname else t.relname end
  ) stats on true
  where i.relkind = 'i' and i.relnamespace = current_schema()::regnamespace and i.reltuples >= 0`
