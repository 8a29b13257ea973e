/** Writes rows to a table by COPY. */
import { once } from 'node:events'
import type { PoolClient } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { type TableColumn, valueText } from './table-columns.ts'

type Row = Readonly<Record<string, unknown>>

/** Text of rows handed to the connection at once: large enough for few writes, small enough to hold. */
const CHUNK_CHARS = 256 * 1_024

/** Writes all rows. Returns how many. */
export async function copyRows(
  client: PoolClient,
  table: string,
  columns: readonly TableColumn[],
  rows: Iterable<Row>,
): Promise<number> {
  const stream = client.query(copyFrom(`copy ${table} (${columns.map(({ name }) => name).join(', ')}) from stdin`))
  const failed = once(stream, 'error').then(([error]) => {
    throw error
  })
  failed.catch(() => {})
  let count = 0
  let text = ''
  for (const row of rows) {
    text += lineOf(row, columns)
    count++
    if (text.length < CHUNK_CHARS) continue
    if (!stream.write(text)) await Promise.race([once(stream, 'drain'), failed])
    text = ''
  }
  stream.end(text)
  await Promise.race([once(stream, 'finish'), failed])
  return count
}

function lineOf(row: Row, columns: readonly TableColumn[]): string {
  let line = ''
  for (let i = 0; i < columns.length; i++) {
    const { name, type } = columns[i] as TableColumn
    const text = valueText(row[name], type)
    line += `${i === 0 ? '' : '\t'}${text === null ? '\\N' : escaped(text)}`
  }
  return `${line}\n`
}

const SPECIAL = /[\\\n\r\t]/
const ESCAPED: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** https://www.postgresql.org/docs/current/sql-copy.html, the text format */
function escaped(text: string): string {
  return SPECIAL.test(text) ? text.replace(/[\\\n\r\t]/g, (character) => ESCAPED[character] as string) : text
}
