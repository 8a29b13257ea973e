/** A row as a line of COPY's text format; https://www.postgresql.org/docs/current/sql-copy.html */
import type { Decoder } from './column-decoder.ts'
import { type TableColumn, valueText } from './table-columns.ts'

type Row = Readonly<Record<string, unknown>>

const NULL = '\\N'

/** With the line's end. */
export function lineOf(row: Row, columns: readonly TableColumn[]): string {
  let line = ''
  for (let i = 0; i < columns.length; i++) {
    const { name, type } = columns[i] as TableColumn
    const text = valueText(row[name], type)
    line += `${i === 0 ? '' : '\t'}${text === null ? NULL : escaped(text)}`
  }
  return `${line}\n`
}

/** The row that `lineOf` made a line of. @param decoders of the columns */
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
