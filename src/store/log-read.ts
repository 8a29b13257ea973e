/** Reads the log in the order of positions, a page at a time. */
import { escapeLiteral, type Pool } from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import type { Queryable } from './checkpoint.ts'
import { type EventPosition, LAST_INDEX } from './event-position.ts'
import { LOG_ROW_COLUMNS, type LogRow, LogRowReader } from './log-row.ts'
import { listDays, namesIn } from './retention/log-days.ts'
import { cutAfter, GRACE_MS } from './silence.ts'

/** A stretch of one partition: what is behind `after`, up to `through` with all of its entry. */
export interface LogStretch {
  readonly partition: number
  readonly after: EventPosition
  readonly through: { readonly ms: number; readonly seq: number }
  /** Names of the events to read; null for all. */
  readonly names: readonly string[] | null
  /** Most rows of one statement, if less than usual. */
  readonly pageRows?: number
}

/** Before every event of a partition. */
export const BEFORE_ALL: EventPosition = { ms: 0, seq: 0, index: -1 }

/**
 * Rows of one statement. Each holds a snapshot, and the log against a day that wants to leave, so it takes well under a
 * second; of large events it reads fewer.
 */
const PAGE_ROWS = 5_000
const PAGE_BYTES = 32 * 2 ** 20
const STATEMENT_MS = 60_000
/** More names than that are not worth a filter: then all is read. */
const MOST_NAMES = 500

/** Reads a stretch to its end, the next page while the caller works on the last one. */
export async function* readStretch(pool: Pool, stretch: LogStretch): AsyncGenerator<readonly LogRow[]> {
  let next = readPage(pool, stretch, stretch.after)
  try {
    for (;;) {
      const { rows, whole } = await next
      const last = rows.at(-1)
      if (last === undefined) return
      if (!whole) {
        next = readPage(pool, stretch, last)
        next.catch(() => {}) // told when it is awaited
      }
      yield rows
      if (whole) return
    }
  } finally {
    await next.catch(() => {})
  }
}

interface Page {
  readonly rows: readonly LogRow[]
  /** Nothing is behind it. */
  readonly whole: boolean
}

async function readPage(pool: Pool, stretch: LogStretch, after: EventPosition): Promise<Page> {
  const client = await pool.connect()
  const endWatch = cutAfter(client, STATEMENT_MS + GRACE_MS)
  let clean = false
  try {
    await client.query(
      `begin read only; set local statement_timeout = ${STATEMENT_MS}; set local jit = off;
       set local enable_seqscan = off; set local enable_bitmapscan = off`,
    )
    const reader = new LogRowReader()
    const rows: LogRow[] = []
    let bytes = 0
    for await (const chunk of client.query(copyTo(statement(stretch, after))) as AsyncIterable<Buffer>) {
      for (const row of reader.read(chunk)) rows.push(row)
      bytes += chunk.length
      if (bytes > PAGE_BYTES && rows.length > 0) return { rows, whole: false } // the connection is closed: COPY goes on
    }
    await client.query('commit')
    clean = true
    return { rows, whole: rows.length < (stretch.pageRows ?? PAGE_ROWS) }
  } finally {
    endWatch()
    client.release(!clean)
  }
}

/** COPY takes no parameters: the numbers are checked, and names are escaped. */
function statement(
  { partition, after, through, names, pageRows = PAGE_ROWS }: LogStretch,
  from: EventPosition,
): string {
  for (const number of [partition, after.ms, from.ms, from.seq, from.index, through.ms, through.seq])
    if (!Number.isSafeInteger(number)) throw new RangeError(`${number} is no part of a position`)
  const named = names === null ? 'true' : `event in (${names.map((name) => escapeLiteral(name)).join(', ') || 'null'})`
  return `copy (
    select ${LOG_ROW_COLUMNS} from event
    where partition = ${partition} and ${named}
      and (partition, entry_ms, entry_seq, entry_index) > (${partition}, ${from.ms}, ${from.seq}, ${from.index})
      and (partition, entry_ms, entry_seq, entry_index) <= (${partition}, ${through.ms}, ${through.seq}, ${LAST_INDEX})
    order by partition, entry_ms, entry_seq, entry_index limit ${pageRows}
  ) to stdout with (format binary)`
}

/** The names of the log's events that are wanted, to read those alone; null when that is all or nearly all of them. */
export async function wantedNames(db: Queryable, wants: (name: string) => boolean): Promise<string[] | null> {
  const names = new Set<string>()
  for (const table of ['event_default', ...(await listDays(db)).map(({ table }) => table)]) {
    for (const name of await namesIn(db, table)) names.add(name)
    if (names.size > MOST_NAMES) return null
  }
  const wanted = [...names].filter(wants)
  return wanted.length === names.size ? null : wanted
}

/** How many events the log has, by Postgres' statistics. */
export async function logSize(db: Queryable): Promise<number> {
  return (await listDays(db)).reduce((sum, { events }) => sum + events, 0)
}
