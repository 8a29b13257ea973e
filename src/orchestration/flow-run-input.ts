import { RESOURCE_ID, RESOURCE_ROLE } from '#src/events/event.ts'
import type { FlowRunInputRow } from '#src/events/flow-run-input.ts'
import { flowRunInputTable } from '#src/store/flow-run-input.ts'
import { derivedId } from './ids.ts'
import type { StoredRecord } from './stored-record.ts'

/** What is sent to flow runs: there is one value for each run and key, and it isn't changed. */
export const FLOW_RUN_INPUTS: StoredRecord<FlowRunInputRow> = {
  kind: 'flow-run-input',
  from: 'millrace',
  payload: 'flow_run_input',
  table: flowRunInputTable,
  labels: ({ key }) => ({ 'prefect.resource.name': key }),
  related: ({ flow_run_id }) => [{ [RESOURCE_ID]: `prefect.flow-run.${flow_run_id}`, [RESOURCE_ROLE]: 'flow-run' }],
}

/** The id of what is sent to a run under a key. */
export function flowRunInputId(flowRunId: string, key: string): string {
  return derivedId('flow-run-input', flowRunId, key)
}
