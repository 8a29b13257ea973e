/** The columns of a table. */
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
