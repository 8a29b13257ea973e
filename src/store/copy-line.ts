/** A row as a line of COPY's text format; https://www.postgresql.org/docs/current/sql-copy.html */
import type { Decoder } from './column-decoder.ts'
import { encoderOf } from './column-encoder.ts'
import type { TableColumn } from './table-columns.ts'

type Row = Readonly<Record<string, unknown>>

const NULL = '\\N'

/** Makes what writes rows of a table as lines, with their ends. */
export function lineWriter(columns: readonly TableColumn[]): (row: Row) => string {
  const fields = columns.map(({ name, type }) => ({ name, write: fieldWriter(type) }))
  const texts = new Array<string>(columns.length)
  return (row) => {
    for (let i = 0; i < fields.length; i++) {
      const { name, write } = fields[i] as (typeof fields)[number]
      texts[i] = write(row[name])
    }
    texts[fields.length - 1] += '\n'
    return texts.join('\t')
  }
}

/** Text of these types has nothing to escape, nor has JSON without a backslash. */
const PLAIN: ReadonlySet<string> = new Set([
  ...['uuid', 'boolean', 'smallint', 'integer', 'bigint', 'real', 'double precision'],
])

function fieldWriter(type: string): (value: unknown) => string {
  const encode = encoderOf(type)
  if (PLAIN.has(type)) return (value) => encode(value) ?? NULL
  const isJson = type === 'json' || type === 'jsonb'
  return (value) => {
    const text = encode(value)
    if (text === null) return NULL
    return isJson && !text.includes('\\') ? text : escaped(text)
  }
}

/** The row that such a line was written of. @param decoders of the columns */
export function rowOf(line: string, columns: readonly TableColumn[], decoders: readonly Decoder[]): Row {
  const fields = line.slice(0, -1).split('\t')
  const row: Record<string, unknown> = {}
  for (let i = 0; i < columns.length; i++) {
    const field = fields[i] as string
    row[(columns[i] as TableColumn).name] = (decoders[i] as Decoder)(field === NULL ? null : unescaped(field))
  }
  return row
}

const SPECIAL = /[\\\n\r\t]/
const ESCAPED: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }
/** As Postgres writes them, too. */
const MEANT: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }

function escaped(text: string): string {
  return SPECIAL.test(text) ? text.replace(/[\\\n\r\t]/g, (character) => ESCAPED[character] as string) : text
}

function unescaped(field: string): string {
  return field.includes('\\') ? field.replace(/\\(.)/g, (_, character: string) => MEANT[character] ?? character) : field
}
