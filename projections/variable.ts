/** variable: one row per variable. Read by /variables. Safe to rebuild: touches nothing but its table. */
import { defineProjection } from '#src/consumer/projection.ts'
import { setFields, uuidOf } from '#src/events/set-fields.ts'
import { Variable } from '#src/events/variable.ts'

export default defineProjection({
  name: 'variable',
  version: 1,
  table: 'variable', // migrations/0028_variables_artifacts.sql
  row: Variable,
  keyColumns: ['id'],
  since: 'created',
  key: (event) => uuidOf(event.resourceId),
  evolve: (on) => [
    on('prefect.variable.deleted', () => null),
    on('prefect.variable.*', (row, event) => setFields(row, event, 'variable')),
  ],
})
