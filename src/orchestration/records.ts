/** Things that have no rules of their own. */
import type { ArtifactRow } from '#src/events/artifact.ts'
import type { VariableRow } from '#src/events/variable.ts'
import { artifactTable } from '#src/store/artifact.ts'
import { variableTable } from '#src/store/variable.ts'
import { relatedThing } from './related.ts'
import type { StoredRecord } from './stored-record.ts'

/** Variables: there is one for each name. */
export const VARIABLES: StoredRecord<VariableRow> = {
  kind: 'variable',
  from: 'prefect',
  payload: 'variable',
  table: variableTable,
  labels: ({ name }) => ({ 'prefect.resource.name': name }),
  related: () => [],
}

/** Artifacts. Clients send `prefect.artifact.created` and `.updated` by themselves; of their collections artifacts.ts tells. */
export const ARTIFACTS: StoredRecord<ArtifactRow> = {
  kind: 'artifact',
  from: 'millrace',
  payload: 'artifact',
  table: artifactTable,
  labels: ({ key }) => (key === null ? {} : { 'prefect.resource.name': key }),
  related: ({ flow_run_id, task_run_id }) => [
    ...relatedThing('flow-run', flow_run_id, null),
    ...relatedThing('task-run', task_run_id, null),
  ],
}
