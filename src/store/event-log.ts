import { once } from 'node:events'
import type { PoolClient } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { RECORD_COLUMNS } from '#src/events/record.ts'

/** A batch of records at one place of a partition; `bus.Entry` is one. */
export interface LogEntry {
  readonly partition: number
  readonly id: { readonly ms: number; readonly seq: number }
  readonly received: string
  /** Index of the first record within its entry; 0 unless this is a part of one. */
  readonly firstIndex?: number
  readonly lengths: readonly number[]
  readonly records: Buffer
}

const COLUMNS = ['partition', 'entry_ms', 'entry_seq', 'received', 'entry_index', ...RECORD_COLUMNS].join(', ')
const FORMAT = String.raw`(format csv, delimiter E'\x01', quote E'\x02', escape E'\x02')`
const LATIN1_INDEX: Buffer[] = []

/**
 * Writes entries to the log by COPY into the table itself, the fastest way there is. It can't pass over an event that is
 * there already: then it fails with a unique violation (23505), and the caller does it again with `insertEntries`.
 */
export async function copyEntries(client: PoolClient, entries: readonly LogEntry[]): Promise<void> {
  await copy(client, `copy event (${COLUMNS}) from stdin with ${FORMAT}`, encodeRows(entries))
}

/** Writes entries to the log and passes over events that are there already; about half as fast. Returns how many were new. */
export async function insertEntries(client: PoolClient, entries: readonly LogEntry[]): Promise<number> {
  await client.query('create temp table if not exists incoming (like event) on commit drop')
  await client.query('truncate incoming')
  await copy(client, `copy incoming (${COLUMNS}) from stdin with ${FORMAT}`, encodeRows(entries))
  const { rowCount } = await client.query(
    `insert into event (${COLUMNS}) select ${COLUMNS} from incoming on conflict do nothing`,
  )
  return rowCount ?? 0
}

async function copy(client: PoolClient, statement: string, rows: Buffer): Promise<void> {
  const stream = client.query(copyFrom(statement))
  stream.end(rows)
  await once(stream, 'finish')
}

/** Records are rows of COPY already: only their position goes before each. */
function encodeRows(entries: readonly LogEntry[]): Buffer {
  const prefixes = entries.map(({ partition, id, received }) =>
    Buffer.from(`${partition}\x01${id.ms}\x01${id.seq}\x01${received}\x01`, 'latin1'),
  )
  let bytes = 0
  entries.forEach(({ lengths, records, firstIndex = 0 }, i) => {
    const longest = indexBytes(firstIndex + lengths.length - 1).length
    bytes += records.length + lengths.length * ((prefixes[i] as Buffer).length + longest)
  })
  const rows = Buffer.allocUnsafe(bytes)
  let at = 0
  entries.forEach(({ lengths, records, firstIndex = 0 }, i) => {
    const prefix = prefixes[i] as Buffer
    let start = 0
    lengths.forEach((length, index) => {
      at += prefix.copy(rows, at)
      at += indexBytes(firstIndex + index).copy(rows, at)
      at += records.copy(rows, at, start, start + length)
      start += length
    })
  })
  return rows.subarray(0, at)
}

function indexBytes(index: number): Buffer {
  LATIN1_INDEX[index] ??= Buffer.from(`${index}\x01`, 'latin1')
  return LATIN1_INDEX[index] as Buffer
}
