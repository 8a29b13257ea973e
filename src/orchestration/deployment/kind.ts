import {
  DEPLOYMENT_NOT_READY,
  DEPLOYMENT_POLLED,
  DEPLOYMENT_READY,
  type DeploymentRow,
} from '#src/events/deployment.ts'
import { deploymentTable } from '#src/store/deployment.ts'
import { relatedThing } from '../related.ts'
import type { StoredRecord } from '../stored-record.ts'

/** Deployments: there is one for each flow and name. */
export const DEPLOYMENTS: StoredRecord<DeploymentRow> = {
  kind: 'deployment',
  from: 'prefect',
  payload: 'deployment',
  table: deploymentTable,
  labels: ({ name }) => ({ 'prefect.resource.name': name }),
  related: (row) => [
    ...relatedThing('flow', row.flow_id, row.flow_name),
    ...relatedThing('work-queue', row.work_queue_id, row.work_queue_name),
    ...relatedThing('work-pool', row.work_pool_id, row.work_pool_name),
    ...relatedThing('block-document', row.storage_document_id, null, 'storage'),
    ...relatedThing('block-document', row.infrastructure_document_id, null, 'infrastructure'),
    ...relatedThing('concurrency-limit', row.concurrency_limit_id, null),
  ],
  condition: {
    fields: ['status', 'last_polled'],
    event(before, after) {
      if (before.status === after.status) return DEPLOYMENT_POLLED
      return after.status === 'READY' ? DEPLOYMENT_READY : DEPLOYMENT_NOT_READY
    },
  },
}
