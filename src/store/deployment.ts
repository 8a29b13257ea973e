import { Deployment, type DeploymentRow } from '#src/events/deployment.ts'
import { type RowTable, rowTable } from './row-table.ts'

/** Deployments, as the projection `deployment` keeps them. */
export const deploymentTable: RowTable<DeploymentRow> = rowTable('deployment', Deployment.properties)
