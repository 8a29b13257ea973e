/** Deletes runs with what belongs to them, which goes first: who is interrupted may begin again, and nothing is left behind. */
import { Type } from '@sinclair/typebox'
import pMap from 'p-map'
import { flowRunInputTable } from '#src/store/flow-run-input.ts'
import type { Store } from '#src/store/pool.ts'
import { row, sql } from '#src/store/sql.ts'
import type { Commands } from './commands.ts'
import { FLOW_RUN_INPUTS } from './flow-run-input.ts'

interface Needs {
  readonly commands: Commands
  readonly store: Pick<Store, 'queries'>
}

const PAGE = 200
const AT_ONCE = 8
const Id = row(Type.Object({ id: Type.String() }))

/** Deletes a run with its task runs and what was sent to it. The service `retention` clears what it logged and was. */
export async function deleteFlowRun({ commands, store }: Needs, id: string): Promise<void> {
  await commands.taskRuns.deleteOf(id)
  const inputs = await flowRunInputTable.select(store.queries, sql.fragment`t.flow_run_id = ${id}`)
  for (const input of inputs) await commands.record(FLOW_RUN_INPUTS, input.id, { type: 'delete' })
  await commands.flowRun(id, { type: 'delete' })
}

/** Deletes all runs of a flow. */
export async function deleteRunsOfFlow(needs: Needs, flowId: string): Promise<void> {
  for (;;) {
    const runs = await needs.store.queries.any(
      sql.type(Id)`select id from flow_run where flow_id = ${flowId} order by id limit ${PAGE}`,
    )
    await pMap(runs, ({ id }) => deleteFlowRun(needs, id), { concurrency: AT_ONCE })
    if (runs.length < PAGE) return
  }
}
