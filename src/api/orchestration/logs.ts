/** `/logs`: lines that runs logged. They come in batches and can be asked for; `/logs/out` (sockets/) sends them live. */
import { Type } from '@sinclair/typebox'
import { int4 } from '#src/events/formats.ts'
import { Log } from '#src/events/log.ts'
import { keepLogs } from '#src/orchestration/index.ts'
import { LogFilter, logIs } from '#src/store/filters/log.ts'
import { logTable } from '#src/store/log.ts'
import { sql } from '#src/store/sql.ts'
import type { Api } from '../route.ts'
import { instant, limitOf, maybe, Nothing, Paging, Uuid, uuid, When } from './fields.ts'
import type { OrchestrationNeeds } from './needs.ts'

const LogCreate = Type.Object(
  {
    name: Type.String(),
    level: int4(),
    message: Type.String(),
    timestamp: When,
    flow_run_id: maybe(Uuid),
    task_run_id: maybe(Uuid),
  },
  { additionalProperties: false },
)
const Sort = maybe(Type.Union([Type.Literal('TIMESTAMP_ASC'), Type.Literal('TIMESTAMP_DESC')]))
const Filter = Type.Object({ logs: maybe(LogFilter), sort: Sort, ...Paging })

export function logs(app: Api, { commands, store, now }: OrchestrationNeeds): void {
  app.post(
    '/logs/',
    { schema: { body: Type.Array(LogCreate), response: { 201: Nothing } } },
    async ({ body }, reply) => {
      const lines = body.map(({ name, level, message, timestamp, flow_run_id, task_run_id }) => ({
        name,
        level,
        message,
        timestamp: instant(timestamp),
        flow_run_id: flow_run_id ? uuid(flow_run_id) : null,
        task_run_id: task_run_id ? uuid(task_run_id) : null,
      }))
      await keepLogs({ commands, store }, lines, now())
      return reply.code(201).send(null)
    },
  )

  app.post('/logs/filter', { schema: { body: Filter, response: { 200: Type.Array(Log) } } }, ({ body }) => {
    const order =
      body.sort === 'TIMESTAMP_DESC' ? sql.fragment`t.timestamp desc, t.id` : sql.fragment`t.timestamp, t.id`
    const rest = sql.fragment`order by ${order} limit ${limitOf(body)} offset ${body.offset ?? 0}`
    return store.read((tx) => logTable.select(tx, logIs('t', body.logs ?? {}), rest))
  })
}
