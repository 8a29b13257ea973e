/** log: one row for each line that a run logged. Read by /logs. Safe to rebuild: touches nothing but its table. */
import { defineProjection, type ProjectedEvent } from '#src/consumer/projection.ts'
import { LOGGED, Log, type LogLine, linesOf } from '#src/events/log.ts'
import { clearedFrom, FLOW_RUN_CLEARED, isOfRun, isOfTaskRun, TASK_RUN_CLEARED } from '#src/events/run-cleared.ts'

export default defineProjection({
  name: 'log',
  version: 1,
  table: 'log', // migrations/0021_logs.sql
  row: Log,
  keyColumns: ['id'],
  since: 'created',
  order: 'loose', // a line is written once and never changed
  keys: (event) => (event.event === LOGGED ? [...byId(event).keys()] : clearedFrom('log', event)),
  evolve: (on) => [
    on(FLOW_RUN_CLEARED, (row, event) => (isOfRun(row, event) ? null : row)),
    on(TASK_RUN_CLEARED, (row, event) => (isOfTaskRun(row, event) ? null : row)),
    on(LOGGED, (row, event, { key }) => row ?? byId(event).get(String(key[0])) ?? null),
  ],
})

/** Of each event its lines are looked up once for every one of them. */
const known = new WeakMap<ProjectedEvent, ReadonlyMap<string, LogLine>>()

function byId(event: ProjectedEvent): ReadonlyMap<string, LogLine> {
  let lines = known.get(event)
  if (lines === undefined) {
    lines = new Map(linesOf(event.payload).map((line) => [line.id, line]))
    known.set(event, lines)
  }
  return lines
}
