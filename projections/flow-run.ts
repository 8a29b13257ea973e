/** flow_run: one row per flow run, as it is now. Read by /flow_runs. Safe to rebuild: touches nothing but its table. */
import { defineProjection } from '#src/consumer/projection.ts'
import { FLOW_RUN_DELETED, FLOW_RUN_UPDATED, FlowRun } from '#src/events/flow-run.ts'
import { setFields, uuidOf } from '#src/events/set-fields.ts'

export default defineProjection({
  name: 'flow-run',
  version: 1,
  table: 'flow_run', // migrations/0020_flow_runs.sql
  row: FlowRun,
  keyColumns: ['id'],
  since: 'created',
  key: (event) => uuidOf(event.resourceId),
  evolve: (on) => [
    on(FLOW_RUN_DELETED, () => null),
    on(FLOW_RUN_UPDATED, (row, event) => setFields(row, event, 'flow_run')),
    on('prefect.flow-run.*', (row, event) => setFields(row, event, 'flow_run')),
  ],
})
