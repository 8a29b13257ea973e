/**
 * resource_activity: one row per resource: when it was seen first and last, and how many events of each name it had. Runs
 * and what belongs to them have theirs until they are deleted and cleared, or there would be a row for each that ever was.
 * Safe to rebuild: touches nothing but its table.
 */
import { Type } from '@sinclair/typebox'
import { defineProjection } from '#src/consumer/projection.ts'
import { clearedFrom, FLOW_RUN_CLEARED, TASK_RUN_CLEARED } from '#src/events/run-cleared.ts'
import { TASK_RUN_DELETED } from '#src/events/task-run.ts'

/** Names that are counted one by one, so that no row grows without bound; further ones count together. */
const MOST_NAMES = 200
const OTHERS = '*'
/** Runs end with one of these, inputs and artifacts with the last two. */
const ENDS = [
  FLOW_RUN_CLEARED,
  TASK_RUN_CLEARED,
  TASK_RUN_DELETED,
  'millrace.artifact.deleted',
  'millrace.flow-run-input.deleted',
]
const ITS_TASK_RUNS = /^prefect\.task-run\.[0-9a-f-]{36}$/

export default defineProjection({
  name: 'resource-activity',
  version: 1,
  table: 'resource_activity', // migrations/0004_projections.sql
  row: Type.Object({
    resource_id: Type.String(),
    first_seen: Type.String(),
    last_seen: Type.String(),
    event_count: Type.Integer(),
    counts: Type.Record(Type.String(), Type.Integer()),
  }),
  keyColumns: ['resource_id'],
  since: 'first_seen',
  keys: (event) => [...new Set([event.resourceId, ...clearedFrom('resource_activity', event, ITS_TASK_RUNS)])],
  evolve: (on) => [
    ...ENDS.map((name) => on(name, () => null)),
    on('*', (row, { resourceId, occurred, event }) => {
      if (row === null)
        return {
          resource_id: resourceId,
          first_seen: occurred,
          last_seen: occurred,
          event_count: 1,
          counts: { [event]: 1 },
        }
      return {
        ...row,
        first_seen: occurred < row.first_seen ? occurred : row.first_seen,
        last_seen: occurred > row.last_seen ? occurred : row.last_seen,
        event_count: row.event_count + 1,
        counts: counted(row.counts, event),
      }
    }),
  ],
})

type Counts = Readonly<Record<string, number>>

/** Sorted by name, so that the same events give the same row in whatever order they come. */
function counted(counts: Counts, event: string): Counts {
  if (Object.hasOwn(counts, event)) return { ...counts, [event]: (counts[event] as number) + 1 }
  const names = Object.keys(counts)
  if (names.length < MOST_NAMES)
    return Object.fromEntries([...names, event].sort().map((name) => [name, name === event ? 1 : (counts[name] ?? 0)]))
  return { ...counts, [OTHERS]: (counts[OTHERS] ?? 0) + 1 }
}
