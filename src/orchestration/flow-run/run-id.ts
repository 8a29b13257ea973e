import { Type } from '@sinclair/typebox'
import type { Store } from '#src/store/pool.ts'
import { row, sql } from '#src/store/sql.ts'
import { derivedId } from '../ids.ts'
import type { NewFlowRun } from './decide.ts'

interface Needs {
  readonly store: Pick<Store, 'queries'>
  readonly newId: () => string
}

/** The id of a new run, made of what there may be only one run for: who asks again gets the same one. */
export async function newRunId({ store, newId }: Needs, run: Omit<NewFlowRun, 'id'>): Promise<string> {
  if (run.idempotency_key) return derivedId('flow-run', run.flow_id, run.idempotency_key)
  return run.parent_task_run_id ? nestedRunId(store, run, run.parent_task_run_id) : newId()
}

const Count = row(Type.Object({ begun: Type.Integer() }))

/**
 * The id of a new run of a nested flow, which its parent's task run stands for. Clients give no idempotency key for these, and
 * ask again when a server dies before it answers: as long as none has begun that was asked for with the same words, it is the
 * same one. When the parent is tried again, another begins.
 */
async function nestedRunId(
  { queries }: Pick<Store, 'queries'>,
  { flow_id, parameters = {} }: Pick<NewFlowRun, 'flow_id' | 'parameters'>,
  parentTaskRunId: string,
): Promise<string> {
  const { begun } = await queries.one(sql.type(Count)`
    select count(*) as begun from flow_run
    where parent_task_run_id = ${parentTaskRunId} and (run_count > 0 or state_type not in ('SCHEDULED', 'PENDING'))`)
  return derivedId('nested-run', parentTaskRunId, flow_id, JSON.stringify(parameters), String(begun))
}
