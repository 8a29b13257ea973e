/** The events of a detached day as lines of JSON, in the order of their positions. */
import { escapeLiteral, type PoolClient } from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import type { DetachedDay } from './detach-day.ts'

/** Where one page of lines ends and the next begins. */
export interface LinePlace {
  readonly partition: number
  readonly ms: number
  readonly seq: number
  readonly index: number
  readonly id: string
}

const INSTANT = `'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'`
const text = (json: string) => String.raw`translate(${json}::text, E'\n\r', '  ')` // only between tokens: within, they are escaped

/** One event. JSON goes in as it is, never read, so that numbers keep their digits and escapes stay what they were. */
const LINE = `'{"occurred":"' || to_char(occurred at time zone 'UTC', ${INSTANT}) || '","id":"' || id
  || '","event":' || to_json(event) || ',"follows":' || coalesce('"' || follows || '"', 'null')
  || ',"received":"' || to_char(received at time zone 'UTC', ${INSTANT})
  || '","position":[' || partition || ',' || entry_ms || ',' || entry_seq || ',' || entry_index
  || '],"resource":' || ${text('resource')} || ',"related":' || ${text('related')} || ',"payload":' || ${text('payload')} || '}'`

/** The characters of records: none of them is in JSON, so that COPY escapes nothing. */
const FORMAT = String.raw`(format csv, delimiter E'\x01', quote E'\x02')`

/** A detached table, and the names whose events stayed in the log: they are no part of what left. */
export type Leaving = Pick<DetachedDay, 'table' | 'kept'>

/** So many are asked for at once, so that Postgres takes them from the index instead of sorting the whole day each time. */
const MOST_LINES = 40_000

/** A stream of the next lines behind a place, each with its end. Leave it early only together with its connection. */
export function streamLines(client: PoolClient, day: Leaving, after: LinePlace | null): AsyncIterable<Buffer> {
  const select = `select ${LINE} from ${day.table} where ${left(day.kept)} and ${beyond(after)} ${ORDER} limit ${MOST_LINES}`
  return client.query(copyTo(`copy (${select}) to stdout with ${FORMAT}`))
}

/** How many events left with a day: counted. */
export async function countLines(client: Pick<PoolClient, 'query'>, { table, kept }: Leaving): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    `select count(*)::float8 as count from ${table} where event <> all($1)`,
    [kept],
  )
  return rows[0]?.count ?? 0
}

const ORDER = 'order by partition, entry_ms, entry_seq, entry_index, id'

/** COPY takes no parameters, so names are written into it, escaped. */
function left(kept: readonly string[]): string {
  return kept.length === 0 ? 'true' : `event not in (${kept.map((name) => escapeLiteral(name)).join(', ')})`
}

/** These are integers and a uuid that come from Postgres itself, and are checked again. */
function beyond(after: LinePlace | null): string {
  if (after === null) return 'true'
  const { partition, ms, seq, index, id } = after
  if (![partition, ms, seq, index].every(Number.isSafeInteger) || !/^[0-9a-f-]{36}$/.test(id))
    throw new RangeError('this is no place of an event')
  return `(partition, entry_ms, entry_seq, entry_index, id) > (${partition}, ${ms}, ${seq}, ${index}, '${id}')`
}
