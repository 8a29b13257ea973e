/** Runs that take a slot of their work pool or queue, and those that may be handed out next. */
import { Type } from '@sinclair/typebox'
import type { FlowRunRow } from '#src/events/flow-run.ts'
import { flowRunTable } from './flow-run.ts'
import { type CommonQueryMethods, row, sql } from './sql.ts'

const Count = row(Type.Object({ id: Type.String(), count: Type.Integer() }))
/** As Prefect's server counts: a run takes its slot when it is handed out, and has it until it is over. */
const TAKING = sql.fragment`('PENDING', 'RUNNING')`

/** How many slots of each pool are taken; those without any are left out. */
export async function slotsOfPools(db: CommonQueryMethods, ids: readonly string[]): Promise<Map<string, number>> {
  const counted = await db.any(sql.type(Count)`
    select q.work_pool_id as id, count(*) as count from flow_run r join work_queue q on q.id = r.work_queue_id
    where q.work_pool_id = any(${sql.array([...ids], 'uuid')}) and r.state_type in ${TAKING} group by 1`)
  return new Map(counted.map(({ id, count }) => [id, count]))
}

/** The same for queues. */
export async function slotsOfQueues(db: CommonQueryMethods, ids: readonly string[]): Promise<Map<string, number>> {
  const counted = await db.any(sql.type(Count)`
    select work_queue_id as id, count(*) as count from flow_run
    where work_queue_id = any(${sql.array([...ids], 'uuid')}) and state_type in ${TAKING} group by 1`)
  return new Map(counted.map(({ id, count }) => [id, count]))
}

/** What is asked for: the runs of some queues that are due in a span of time. Instants are canonical. */
export interface Handout {
  /** In the order in which they are served. */
  readonly queues: readonly { readonly id: string; readonly most: number }[]
  readonly before: string | null
  readonly after: string | null
  readonly limit: number
}

/**
 * Runs that are scheduled in these queues: of the first queue those that are due first, then of the next. No queue gives
 * more than it has slots free. A run that waits for its own process to try again is handed to nobody.
 */
export async function scheduledRuns(db: CommonQueryMethods, wanted: Handout): Promise<FlowRunRow[]> {
  const runs: FlowRunRow[] = []
  for (const { id, most } of wanted.queues) {
    const limit = Math.min(most, wanted.limit - runs.length)
    if (limit <= 0) continue
    const where = sql.fragment`t.work_queue_id = ${id} and t.state_type = 'SCHEDULED'
      and coalesce(t.empirical_policy->>'retry_type', '') <> 'in_process'
      ${wanted.before === null ? sql.fragment`` : sql.fragment`and t.next_scheduled_start_time <= ${wanted.before}::timestamptz`}
      ${wanted.after === null ? sql.fragment`` : sql.fragment`and t.next_scheduled_start_time >= ${wanted.after}::timestamptz`}`
    const rest = sql.fragment`order by t.next_scheduled_start_time, t.id limit ${limit}`
    runs.push(...(await flowRunTable.select(db, where, rest)))
  }
  return runs
}
