import type { FlowRow } from '#src/events/flow.ts'
import { flowTable } from '#src/store/flow.ts'
import type { StoredRecord } from './stored-record.ts'

/** Flows: there is one for each name. */
export const FLOWS: StoredRecord<FlowRow> = {
  kind: 'flow',
  from: 'prefect',
  payload: 'flow',
  table: flowTable,
  labels: ({ name }) => ({ 'prefect.resource.name': name }),
  related: () => [],
}
