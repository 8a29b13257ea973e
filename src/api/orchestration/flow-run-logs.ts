/** `/flow_runs/{id}/logs/download`: all that a run logged, as a CSV file that is sent while it is read. */
import { Readable } from 'node:stream'
import { Type } from '@sinclair/typebox'
import type { LogLine } from '#src/events/log.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import { logTable } from '#src/store/log.ts'
import type { Store } from '#src/store/pool.ts'
import { sql } from '#src/store/sql.ts'
import { NotFound } from '../../errors.ts'
import type { Api } from '../route.ts'
import { ID } from './conventions.ts'
import { Params } from './fields.ts'
import type { OrchestrationNeeds } from './needs.ts'

/** Lines that are read at once: a server holds so many for each download, however slowly it is taken. */
const PAGE = 1_000
const COLUMNS = ['timestamp', 'level', 'flow_run_id', 'task_run_id', 'message'] as const
const File = Type.Unsafe<Readable>({ type: 'string', description: 'Oldest first.' })
const Csv = { description: 'A file.', content: { 'text/csv': { schema: File } } }

export function flowRunLogs(app: Api, { store }: Pick<OrchestrationNeeds, 'store'>): void {
  app.get(
    `/flow_runs/${ID}/logs/download`,
    { schema: { params: Params, response: { 200: Csv } } },
    async ({ params }, reply) => {
      const run = await store.read((tx) => flowRunTable.find(tx, sql.fragment`t.id = ${params.id}`))
      if (run === null) throw new NotFound('Flow run not found')
      const disposition = `attachment; filename="flow-run-logs.csv"; filename*=UTF-8''${escaped(`${run.name}-logs.csv`)}`
      reply.header('content-disposition', disposition).type('text/csv; charset=utf-8')
      return reply.send(Readable.from(csv(store, params.id), { objectMode: false, highWaterMark: 1 }))
    },
  )
}

/** A page of text after another; the next is read when the one before has been taken. */
async function* csv(store: Store, flowRunId: string): AsyncGenerator<string> {
  yield `${COLUMNS.join(',')}\r\n`
  for (let last: LogLine | undefined; ; ) {
    const after = last && sql.fragment`and (t.timestamp, t.id) > (${last.timestamp}::timestamptz, ${last.id}::uuid)`
    const which = sql.fragment`t.flow_run_id = ${flowRunId} ${after ?? sql.fragment``}`
    const page = await store.read((tx) =>
      logTable.select(tx, which, sql.fragment`order by t.timestamp, t.id limit ${PAGE}`),
    )
    if (page.length > 0) yield page.map(lineOf).join('')
    if (page.length < PAGE) return
    last = page.at(-1)
  }
}

function lineOf(line: LogLine): string {
  return `${COLUMNS.map((name) => field(line[name])).join(',')}\r\n`
}

/** As in RFC 4180. */
function field(value: string | number | null): string {
  const text = String(value ?? '')
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** As in RFC 8187, for a name with any character. */
function escaped(name: string): string {
  return encodeURIComponent(name).replace(/['()*!]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
}
