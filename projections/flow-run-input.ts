/** flow_run_input: what was sent to flow runs. Read by /flow_runs/{id}/input. Safe to rebuild: touches nothing but its table. */
import { defineProjection } from '#src/consumer/projection.ts'
import { FlowRunInput } from '#src/events/flow-run-input.ts'
import { setFields, uuidOf } from '#src/events/set-fields.ts'

export default defineProjection({
  name: 'flow-run-input',
  version: 1,
  table: 'flow_run_input', // migrations/0022_flow_run_inputs.sql
  row: FlowRunInput,
  keyColumns: ['id'],
  since: 'created',
  key: (event) => uuidOf(event.resourceId),
  evolve: (on) => [
    on('millrace.flow-run-input.deleted', () => null),
    on('millrace.flow-run-input.created', (row, event) => setFields(row, event, 'flow_run_input')),
  ],
})
