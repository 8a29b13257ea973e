/** flow: one row per flow. Read by /flows. Safe to rebuild: touches nothing but its table. */
import { defineProjection } from '#src/consumer/projection.ts'
import { Flow } from '#src/events/flow.ts'
import { setFields, uuidOf } from '#src/events/set-fields.ts'

export default defineProjection({
  name: 'flow',
  version: 1,
  table: 'flow', // migrations/0020_flow_runs.sql
  row: Flow,
  keyColumns: ['id'],
  since: 'created',
  key: (event) => uuidOf(event.resourceId),
  evolve: (on) => [
    on('prefect.flow.deleted', () => null),
    on('prefect.flow.created', (row, event) => setFields(row, event, 'flow')),
    on('prefect.flow.updated', (row, event) => setFields(row, event, 'flow')),
  ],
})
