/** deployment: one row per deployment. Read by /deployments. Safe to rebuild: touches nothing but its table. */
import { defineProjection } from '#src/consumer/projection.ts'
import { DEPLOYMENT_POLLED, Deployment } from '#src/events/deployment.ts'
import { setFields, uuidOf } from '#src/events/set-fields.ts'

export default defineProjection({
  name: 'deployment',
  version: 1,
  table: 'deployment', // migrations/0026_deployments.sql
  row: Deployment,
  keyColumns: ['id'],
  since: 'created',
  key: (event) => uuidOf(event.resourceId),
  evolve: (on) => [
    on('prefect.deployment.deleted', () => null),
    on(DEPLOYMENT_POLLED, (row, event) => setFields(row, event, 'deployment')),
    on('prefect.deployment.*', (row, event) => setFields(row, event, 'deployment')),
  ],
})
