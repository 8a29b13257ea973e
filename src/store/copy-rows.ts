/** Writes rows to a table by COPY. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { PoolClient } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { lineWriter } from './copy-line.ts'
import type { TableColumn } from './table-columns.ts'

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
  const lineOf = lineWriter(columns)
  let count = 0
  function* chunks(): Generator<string> {
    let text = ''
    for (const row of rows) {
      text += lineOf(row)
      count++
      if (text.length < CHUNK_CHARS) continue
      yield text
      text = ''
    }
    yield text
  }
  await copyLines(client, table, columns, chunks())
  return count
}

/** Writes rows that are lines already, see `lineWriter`. A chunk has left this process when the next one is asked for. */
export async function copyLines(
  client: PoolClient,
  table: string,
  columns: readonly TableColumn[],
  chunks: Iterable<string | Buffer>,
): Promise<void> {
  const stream = client.query(copyFrom(`copy ${table} (${columns.map(({ name }) => name).join(', ')}) from stdin`))
  const failed = once(stream, 'error').then(([error]) => {
    throw error
  })
  failed.catch(() => {})
  const { connection } = client as PoolClient & { readonly connection?: { readonly stream?: Socket } }
  const socket = connection?.stream
  for (const chunk of chunks) {
    await Promise.race([new Promise((resolve) => stream.write(chunk, resolve)), failed])
    // The stream hands less on than the socket waits with: then what comes behind it is waited for.
    if (socket?.writableLength) await Promise.race([new Promise((resolve) => socket.write('', resolve)), failed])
  }
  stream.end()
  await Promise.race([once(stream, 'finish'), failed])
}
