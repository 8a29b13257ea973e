/** Compares a projection's table with what the log makes of nothing. */
import type { PoolClient } from 'pg'
import type { TableColumn } from '../table-columns.ts'

export interface Comparison {
  readonly live: string
  readonly folded: string
  readonly keyColumns: readonly string[]
  readonly columns: readonly TableColumn[]
  /** A table of the keys to look at; null for all. */
  readonly sampled: string | null
  /** The condition, by `t`, of rows that can be compared: of others not all events are there. */
  readonly comparable: string
  /** Most differences to show. */
  readonly show: number
}

/** How a row differs: it is `missing` in the live table, `extra` there, or `different`. */
export interface Difference {
  readonly kind: 'missing' | 'extra' | 'different'
  readonly key: string
  /** Both rows, as JSON; null where there is none. */
  readonly live: Readonly<Record<string, unknown>> | null
  readonly folded: Readonly<Record<string, unknown>> | null
}

export interface Compared {
  /** Rows looked at, in either table. */
  readonly rows: number
  readonly missing: number
  readonly extra: number
  readonly different: number
  /** Rows of which not all events are there any more. */
  readonly unchecked: number
  readonly differences: readonly Difference[]
}

/** Compares them as the transaction sees them. */
export async function compareTables(client: PoolClient, comparison: Comparison): Promise<Compared> {
  const { live, folded, keyColumns, columns, sampled, comparable, show } = comparison
  const keys = keyColumns.join(', ')
  const isSame = columns
    .map(({ name, type }) => (type.startsWith('json') ? `l.${name}::text, f.${name}::text` : `l.${name}, f.${name}`))
    .map((pair) => `${pair.replace(', ', ' is not distinct from ')}`)
    .join(' and ')
  const [first] = keyColumns
  const both = (side: 'l' | 'f') => comparable.replaceAll('t.', `${side}.`)
  await client.query(
    `create temporary table compared on commit drop as
     select ${keyColumns.map((column) => `coalesce(l.${column}, f.${column}) as ${column}`).join(', ')},
       case when not (case when l.${first} is null then ${both('f')} else ${both('l')} end) then 'unchecked'
         when l.${first} is null then 'missing' when f.${first} is null then 'extra'
         when ${isSame} then 'same' else 'different' end as kind
     from ${live} l full join ${folded} f on ${keyColumns.map((column) => `l.${column} = f.${column}`).join(' and ')}
     ${sampled === null ? '' : `where exists (select from ${sampled} s where ${keyColumns.map((column) => `s.${column} = coalesce(l.${column}, f.${column})`).join(' and ')})`}`,
  )
  const { rows: counts } = await client.query<{ kind: string; rows: number }>(
    'select kind, count(*)::float8 as rows from compared group by kind',
  )
  const count = (kind: string) => counts.find((each) => each.kind === kind)?.rows ?? 0
  const { rows: differences } = await client.query<Difference>(
    `select c.kind, concat_ws(' ', ${keyColumns.map((column) => `c.${column}`).join(', ')}) as key,
       case when l.${first} is not null then row_to_json(l) end as live,
       case when f.${first} is not null then row_to_json(f) end as folded
     from compared c left join ${live} l using (${keys}) left join ${folded} f using (${keys})
     where c.kind not in ('same', 'unchecked') order by ${keyColumns.map((column) => `c.${column}`).join(', ')} limit $1`,
    [show],
  )
  await client.query('drop table compared')
  return {
    rows: counts.reduce((sum, { rows }) => sum + rows, 0) - count('unchecked'),
    missing: count('missing'),
    extra: count('extra'),
    different: count('different'),
    unchecked: count('unchecked'),
    differences,
  }
}
