/** The columns of a table, and values as the text that Postgres casts to a column's type. */
import { cleanJson } from '#src/events/storable.ts'
import type { Queryable } from './checkpoint.ts'

export interface TableColumn {
  readonly name: string
  /** As Postgres calls it, such as `timestamp with time zone`. */
  readonly type: string
  /** It must have a value. */
  readonly required: boolean
}

/** The columns of these names, in their order. @throws Error when the table or one of them is missing */
export async function tableColumns(
  db: Queryable,
  table: string,
  names: readonly string[],
): Promise<readonly TableColumn[]> {
  const { rows } = await db.query<TableColumn>(
    `select attname::text as name, format_type(atttypid, atttypmod) as type, attnotnull as required
     from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped`,
    [table],
  )
  if (rows.length === 0) throw new Error(`there is no table ${table}: is the migration that makes it applied?`)
  return names.map((name) => {
    const column = rows.find((each) => each.name === name)
    if (column === undefined) throw new Error(`the table ${table} has no column ${name}`)
    return column
  })
}

/** A value as text; null for none. Text of other columns is without what Postgres can't hold by then: see `cleanText`. */
export function valueText(value: unknown, type: string): string | null {
  if (value === null || value === undefined) return null
  if (type === 'json' || type === 'jsonb') return cleanJson(JSON.stringify(value))
  return Array.isArray(value) ? arrayText(value) : String(value)
}

/** https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO */
function arrayText(list: readonly unknown[]): string {
  return `{${list.map((item) => (item === null ? 'NULL' : `"${String(item).replace(/["\\]/g, '\\$&')}"`)).join(',')}}`
}
