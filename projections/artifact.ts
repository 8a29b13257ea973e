/** artifact: one row per artifact. Read by /artifacts. Safe to rebuild: touches nothing but its table. */
import { defineProjection } from '#src/consumer/projection.ts'
import { Artifact } from '#src/events/artifact.ts'
import { setFields, uuidOf } from '#src/events/set-fields.ts'

export default defineProjection({
  name: 'artifact',
  version: 1,
  table: 'artifact', // migrations/0028_variables_artifacts.sql
  row: Artifact,
  keyColumns: ['id'],
  since: 'created',
  key: (event) => uuidOf(event.resourceId),
  // Prefect's own `prefect.artifact.*` are sent by clients, about the same resources.
  evolve: (on) => [
    on('millrace.artifact.deleted', () => null),
    on('millrace.artifact.*', (row, event) => setFields(row, event, 'artifact')),
  ],
})
