/** Reads rows of tables that projections keep, as the projections see them: instants canonical, JSON as it was. */
import { type TProperties, type TSchema, Type, TypeGuard } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler'
import { parseExact } from '#src/events/exact-json.ts'
import { type CommonQueryMethods, type FragmentSqlToken, row, sql } from './sql.ts'

/** A table by its name and columns. What the columns are is asked of Postgres once. */
export interface RowTable<Row> {
  /** Rows in the order of `rest`: `order by … limit …`. The table is called `t` in both fragments. */
  select(db: CommonQueryMethods, where: FragmentSqlToken, rest?: FragmentSqlToken): Promise<Row[]>
  /** The row that a condition leaves; null when there is none. @param order which one, where it may leave several */
  find(db: CommonQueryMethods, where: FragmentSqlToken, order?: FragmentSqlToken): Promise<Row | null>
  count(db: CommonQueryMethods, where: FragmentSqlToken): Promise<number>
  /** What of a row Postgres would refuse, such as a number that is too large for its column; null when it takes it all. */
  refusal(row: Row): string | null
}

/** Of several things that were given one name in the same instant, the one that is found by it. */
export const CREATED_FIRST = sql.fragment`order by t.created, t.id`

const NOTHING = sql.fragment``
const Anything = row(Type.Record(Type.String(), Type.Unknown()))
const Count = row(Type.Object({ count: Type.Integer() }))
const Column = row(Type.Object({ name: Type.String(), type: Type.String() }))

type Columns = readonly { readonly name: string; readonly type: string }[]

/** @param columns those that are read, each with what it holds */
export function rowTable<Row>(table: string, columns: TProperties): RowTable<Row> {
  const names = Object.keys(columns)
  const from = sql.identifier([table])
  let known: Promise<Columns> | null = null
  let check: TypeCheck<ReturnType<typeof withoutJson>> | null = null

  function describe(db: CommonQueryMethods): Promise<Columns> {
    known ??= columnsOf(db, table, names)
    known.catch(() => {
      known = null
    })
    return known
  }

  async function select(db: CommonQueryMethods, where: FragmentSqlToken, rest = NOTHING): Promise<Row[]> {
    const found = await describe(db)
    const selected = sql.join(found.map(selection), sql.fragment`, `)
    const rows = await db.any(sql.type(Anything)`select ${selected} from ${from} t where ${where} ${rest}`)
    return rows.map(
      (raw) => Object.fromEntries(found.map(({ name, type }) => [name, readValue(type, raw[name])])) as Row,
    )
  }

  return {
    select,
    find: async (db, where, order = NOTHING) => (await select(db, where, sql.fragment`${order} limit 1`))[0] ?? null,
    count: async (db, where) =>
      (await db.one(sql.type(Count)`select count(*) as count from ${from} t where ${where}`)).count,
    refusal(row) {
      check ??= TypeCompiler.Compile(withoutJson(columns))
      const wrong = check.Check(row) ? undefined : check.Errors(row).First()
      return wrong === undefined ? null : `${wrong.path.slice(1)}: ${wrong.message}`
    },
  }
}

/** A column of the type `json` holds whatever it is given. */
function withoutJson(columns: TProperties) {
  const isJson = (schema: TSchema) =>
    TypeGuard.IsUnknown(schema) || TypeGuard.IsObject(schema) || TypeGuard.IsRecord(schema)
  return Type.Object(Object.fromEntries(Object.entries(columns).filter(([, schema]) => !isJson(schema))))
}

async function columnsOf(db: CommonQueryMethods, table: string, names: readonly string[]): Promise<Columns> {
  const found = await db.any(sql.type(Column)`
    select attname::text as name, format_type(atttypid, atttypmod) as type from pg_attribute
    where attrelid = to_regclass(${table}) and attnum > 0 and not attisdropped`)
  return names.map((name) => {
    const column = found.find((each) => each.name === name)
    if (column === undefined) throw new Error(`the table ${table} has no column ${name}`)
    return column
  })
}

function selection({ name, type }: Columns[number]): FragmentSqlToken {
  const column = sql.identifier(['t', name])
  const as = sql.identifier([name])
  if (type === 'timestamp with time zone')
    return sql.fragment`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as ${as}`
  return type === 'json' || type === 'jsonb' ? sql.fragment`${column}::text as ${as}` : sql.fragment`${column}`
}

function readValue(type: string, value: unknown): unknown {
  if (typeof value !== 'string') return value
  return type === 'json' || type === 'jsonb' ? parseExact(value) : value
}
