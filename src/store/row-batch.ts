/**
 * Rows of a table that a projection keeps, read and written in bulk: one statement for all that are read by one key, one
 * for all that are inserted, one for all that are updated, one for all that are deleted. Values travel as text, which
 * Postgres casts: so no type needs a form of its own, and JSON is stored as it was.
 */

import type { PoolClient } from 'pg'
import type { Queryable } from './checkpoint.ts'
import { type Decoder, decoderOf } from './column-decoder.ts'
import { encoderOf } from './column-encoder.ts'
import { copyRows } from './copy-rows.ts'
import { type RowCheck, rowCheck } from './row-check.ts'
import { type TableColumn, tableColumns } from './table-columns.ts'

type Row = Readonly<Record<string, unknown>>

/** A row as it was read, with the number of the transaction that wrote it: an update finds out whether it is still that. */
export interface StoredRow {
  readonly row: Row
  readonly writtenBy: string
}

/** Somebody else has written a row since it was read. */
export class RowMoved extends Error {}

export interface RowBatch {
  readonly check: RowCheck
  /**
   * Rows by the values of some columns, which must be those of a unique index.
   * @param lock holds the rows until the transaction ends
   */
  load(db: Queryable, columns: readonly string[], values: readonly Values[], lock: boolean): Promise<StoredRow[]>
  /** Fails with 23505 when one is there already. */
  insert(db: Queryable, rows: readonly Row[]): Promise<void>
  /** The same by COPY: the faster way from some hundred rows on, but it takes turns of its own on the connection. */
  copy(client: PoolClient, rows: readonly Row[]): Promise<void>
  /** @throws RowMoved */
  update(db: Queryable, rows: readonly StoredRow[]): Promise<void>
  /** @throws RowMoved */
  delete(db: Queryable, rows: readonly StoredRow[]): Promise<void>
}

type Values = readonly (string | number)[]

/**
 * @param names the columns, all of them
 * @throws Error when the table or one of its columns is missing
 */
export async function openRowBatch(
  db: Queryable,
  table: string,
  names: readonly string[],
  keyColumns: readonly string[],
): Promise<RowBatch> {
  const columns = await tableColumns(db, table, names)
  const typeOf = new Map(columns.map(({ name, type }) => [name, type]))
  const others = columns.filter(({ name }) => !keyColumns.includes(name))
  const selected = columns.map(selection).join(', ')
  const keyMatches = keyColumns.map((name) => `t.${name} = u.${name}::${typeOf.get(name)}`).join(' and ')
  const unnested = (count: number, all: readonly string[]) =>
    `unnest(${Array.from({ length: count }, (_, i) => `$${i + 1}::text[]`).join(', ')}) as u(${all.join(', ')})`
  const set = others.map((column) => `${column.name} = ${cast(column)}`).join(', ')
  const isSame = `${keyMatches} and t.xmin = u.written_by::xid`
  const update = `update ${table} t set ${set} from ${unnested(names.length + 1, [...names, 'written_by'])} where ${isSame}`
  const insert = `insert into ${table} (${names.join(', ')}) select ${columns.map(cast).join(', ')} from ${unnested(names.length, names)}`
  const remove = `delete from ${table} t using ${unnested(keyColumns.length + 1, [...keyColumns, 'written_by'])} where ${isSame}`

  const texts = (rows: readonly Row[], wanted: readonly TableColumn[]) =>
    wanted.map(({ name, type }) => {
      const encode = encoderOf(type)
      return rows.map((row) => encode(row[name]))
    })
  const decoders = columns.map(({ type }) => decoderOf(type))
  const expectAll = (rowCount: number | null, rows: readonly StoredRow[]) => {
    if (rowCount !== rows.length) throw new RowMoved(`${table}: a row was written by somebody else meanwhile`)
  }

  return {
    check: rowCheck(columns),
    async load(db, by, values, lock) {
      const matches = by.map((name) => `${table}.${name} = k.${name}`).join(' and ')
      const keys = by.map((name, i) => `$${i + 1}::${typeOf.get(name)}[]`).join(', ')
      // One look into the index for each key. A plain join makes the planner read the whole of a table that is not yet large,
      // for every batch: 39 ms for 1,800 keys among 80,000 instead of 5. The limit keeps it from seeing through this.
      const found = `select *, xmin from ${table} where ${matches} limit 1 ${lock ? 'for update' : ''}`
      const sent = lock ? values.toSorted(inOneOrder) : values
      const { rows } = await db.query({
        text: `select ${selected}, t.xmin::text from unnest(${keys}) as k(${by.join(', ')}) cross join lateral (${found}) t`,
        values: by.map((_, i) => sent.map((value) => value[i])),
        rowMode: 'array',
        types: AS_TEXT,
      })
      return (rows as unknown as (string | null)[][]).map((raw) => {
        const row: Record<string, unknown> = {}
        for (let i = 0; i < columns.length; i++) row[names[i] as string] = (decoders[i] as Decoder)(raw[i] ?? null)
        return { row, writtenBy: raw[columns.length] as string }
      })
    },
    async insert(db, rows) {
      if (rows.length > 0) await db.query(insert, texts(rows, columns))
    },
    async copy(client, rows) {
      if (rows.length > 0) await copyRows(client, table, columns, rows)
    },
    async update(db, stored) {
      if (stored.length === 0) return
      const rows = stored.map(({ row }) => row)
      if (others.length === 0) return // a row that is nothing but its key has nothing to change
      const { rowCount } = await db.query(update, [...texts(rows, columns), stored.map(({ writtenBy }) => writtenBy)])
      expectAll(rowCount, stored)
    },
    async delete(db, stored) {
      if (stored.length === 0) return
      const keys = columns.filter(({ name }) => keyColumns.includes(name))
      const ordered = keyColumns.map((name) => keys.find((key) => key.name === name) as TableColumn)
      const rows = stored.map(({ row }) => row)
      const { rowCount } = await db.query(remove, [...texts(rows, ordered), stored.map(({ writtenBy }) => writtenBy)])
      expectAll(rowCount, stored)
    },
  }
}

/** Whoever locks several rows does so in the same order as everybody else, so that no two wait for each other. */
function inOneOrder(a: Values, b: Values): number {
  for (const [i, part] of a.entries()) if (part !== b[i]) return part < (b[i] as string | number) ? -1 : 1
  return 0
}

const INSTANT = 'timestamp with time zone'

/** A column of the table `t` as the text that `decoderOf` reads. */
export function selection({ name, type }: TableColumn): string {
  if (type !== INSTANT) return `t.${name}`
  return `to_char(t.${name} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
}

function cast({ name, type }: TableColumn): string {
  return type === 'text' ? `u.${name}` : `u.${name}::${type}`
}

const AS_TEXT = { getTypeParser: () => (text: string) => text }
