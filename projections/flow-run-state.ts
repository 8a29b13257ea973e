/**
 * flow_run_state: one row for each state that a flow run was in. Read by /flow_run_states, which shows those of runs that
 * are there. Safe to rebuild: touches nothing but its table.
 */
import { Type } from '@sinclair/typebox'
import { defineProjection } from '#src/consumer/projection.ts'
import type { FlowRunRow } from '#src/events/flow-run.ts'
import { clearedFrom, FLOW_RUN_CLEARED, isOfRun } from '#src/events/run-cleared.ts'
import { uuidOf } from '#src/events/set-fields.ts'
import { State } from '#src/events/state.ts'

export default defineProjection({
  name: 'flow-run-state',
  version: 1,
  table: 'flow_run_state', // migrations/0020_flow_runs.sql
  row: Type.Composite([State, Type.Object({ flow_run_id: Type.String() })]),
  keyColumns: ['id'],
  since: 'timestamp',
  order: 'loose', // a state is written once and never changed, and its run is over when it leaves
  keys(event) {
    if (event.event === FLOW_RUN_CLEARED) return clearedFrom('flow_run_state', event)
    const state = stateIn(event)
    return state === null ? [] : [state.id]
  },
  evolve: (on) => [
    on(FLOW_RUN_CLEARED, (row, event) => (isOfRun(row, event) ? null : row)),
    on('prefect.flow-run.*', (row, event) => {
      const state = stateIn(event)
      const flow_run_id = uuidOf(event.resourceId)
      return state === null || flow_run_id === null ? row : { ...state, flow_run_id }
    }),
  ],
})

/** The state that an event brings; null for one that was not made by a command, such as a heartbeat. */
function stateIn({ payload }: { readonly payload: Readonly<Record<string, unknown>> }): State | null {
  const run = payload['flow_run'] as Partial<FlowRunRow> | undefined
  return (run?.state as State | undefined) ?? null
}
