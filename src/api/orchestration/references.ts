/** What a request names by its id and nothing is known of: Prefect's server leaves finding that out to its database. */
import { sql } from '#src/store/sql.ts'
import { taskRunTable } from '#src/store/task-run.ts'
import { Conflict } from '../../errors.ts'
import { INTEGRITY } from './conventions.ts'
import { uuid } from './fields.ts'
import type { OrchestrationNeeds } from './needs.ts'

interface Named {
  readonly parent_task_run_id?: string | null | undefined
  /** There are no blocks: no such id is known. */
  readonly infrastructure_document_id?: string | null | undefined
}

/** @throws Conflict in the words of Prefect's server */
export async function refuseUnknown({ store }: Pick<OrchestrationNeeds, 'store'>, named: Named): Promise<void> {
  if (named.infrastructure_document_id) throw new Conflict(INTEGRITY)
  if (!named.parent_task_run_id) return
  const parent = await taskRunTable.find(store.queries, sql.fragment`t.id = ${uuid(named.parent_task_run_id)}`)
  if (parent === null) throw new Conflict(INTEGRITY)
}
