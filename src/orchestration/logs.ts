/** Events of lines that runs logged. Nothing is decided: what was logged, was. */
import { type Event, RESOURCE_ID } from '#src/events/event.ts'
import { LOGGED, type LogLine, linesOf, NO_RUN } from '#src/events/log.ts'
import { logTable } from '#src/store/log.ts'
import type { Store } from '#src/store/pool.ts'
import { sql } from '#src/store/sql.ts'
import type { Commands } from './commands.ts'
import { derivedId } from './ids.ts'

/** A line as it was sent. */
export type SentLine = Omit<LogLine, 'id' | 'created' | 'updated'>

/** An event with all lines of a large batch would be read slowly. A line that is longer has an event of its own. */
const PER_EVENT = { lines: 500, bytes: 500_000 }

/** Keeps a batch of lines. Sent again, since nobody answered, it is kept once. @param now canonical instant at which it came */
export async function keepLogs(
  { commands, store }: { readonly commands: Commands; readonly store: Pick<Store, 'queries'> },
  batch: readonly SentLine[],
  now: string,
): Promise<void> {
  const events = logEvents(batch, now)
  const ids = events.flatMap(({ payload }) => linesOf(payload).slice(0, 1)).map(({ id }) => id)
  const are = sql.fragment`t.id = any(${sql.array(ids, 'uuid')})`
  await commands.events(events, async () => (await logTable.count(store.queries, are)) === ids.length)
}

/**
 * The events of a batch: one for each run, or several where it logged much. The same batch gives events and lines with the
 * same ids, so a client that got no answer may send it again.
 * @param now canonical instant at which it came
 */
export function logEvents(batch: readonly SentLine[], now: string): Event[] {
  const written = batch.map((line) => ({ line, json: JSON.stringify(line) }))
  const name = derivedId('logs', `[${written.map(({ json }) => json).join(',')}]`)
  const runs = Map.groupBy(written, ({ line: { flow_run_id, task_run_id } }) => flow_run_id ?? task_run_id ?? '')
  return [...runs.values()].flatMap(parts).map((lines, i) => eventOf(lines, derivedId('logged', name, String(i)), now))
}

function eventOf(lines: readonly SentLine[], id: string, now: string): Event {
  const logs = lines.map(
    (line, i): LogLine => ({ id: derivedId('log', id, String(i)), created: now, updated: now, ...line }),
  )
  return {
    id,
    occurred: now,
    event: LOGGED,
    resource: { [RESOURCE_ID]: resourceOf(lines[0]) },
    related: [],
    payload: { logs },
    follows: null,
  }
}

function resourceOf(line: SentLine | undefined): string {
  if (line?.flow_run_id) return `prefect.flow-run.${line.flow_run_id}`
  return line?.task_run_id ? `prefect.task-run.${line.task_run_id}` : NO_RUN
}

/** Lines of one run, in the order in which they came. */
function parts(lines: readonly { readonly line: SentLine; readonly json: string }[]): SentLine[][] {
  const found: SentLine[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const { line, json } of lines) {
    const size = Buffer.byteLength(json)
    const last = found.at(-1)
    bytes += size
    if (last === undefined || last.length >= PER_EVENT.lines || bytes > PER_EVENT.bytes) {
      found.push([line])
      bytes = size
    } else last.push(line)
  }
  return found
}
