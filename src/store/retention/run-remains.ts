/** What deleted runs have left behind, of flows and of tasks. */
import { FLOW_RUN_DELETED } from '#src/events/flow-run.ts'
import { TASK_RUN_DELETED } from '#src/events/task-run.ts'
import type { Queryable } from '../checkpoint.ts'

/** A table, and how rows of it that belong to runs are found: their key as `id`, and `run`. */
interface Belonging {
  readonly table: string
  readonly find: string
}

/** A kind of run, and where its rows are. */
export interface RunKind {
  readonly kind: 'flow-run' | 'task-run'
  readonly table: string
  /** The event that says that one was deleted. */
  readonly deleted: string
  /**
   * Rows whose events are all in the order of the run's, so that one event may name and remove them (events/run-cleared.ts).
   * What is found by other rows comes before those.
   */
  readonly cleared: readonly Belonging[]
  /** Rows with an order and a version of their own: commands delete them. */
  readonly commanded: readonly Belonging[]
}

export const FLOW_RUNS: RunKind = {
  kind: 'flow-run',
  table: 'flow_run',
  deleted: FLOW_RUN_DELETED,
  cleared: [
    ...['flow_run_state', 'log'].map(ofFlowRun),
    byTaskRun('task_run_state', 's.id', 's.task_run_id = t.id'),
    byTaskRun('resource_activity', 's.resource_id', "s.resource_id = 'prefect.task-run.' || t.id"),
    ofFlowRun('task_run'),
    activityOf('flow-run'),
  ],
  commanded: ['flow_run_input', 'artifact'].map(ofFlowRun),
}

/** What belongs to a flow run as well leaves with that, but for the states: they are found by the task run alone. */
export const TASK_RUNS: RunKind = {
  kind: 'task-run',
  table: 'task_run',
  deleted: TASK_RUN_DELETED,
  cleared: [
    { table: 'task_run_state', find: 'select id, task_run_id as run from task_run_state where task_run_id = any($1)' },
    ofTaskRunAlone('log'),
    activityOf('task-run'),
  ],
  commanded: [ofTaskRunAlone('artifact')],
}

function ofFlowRun(table: string): Belonging {
  return { table, find: `select id, flow_run_id as run from ${table} where flow_run_id = any($1)` }
}

function byTaskRun(table: string, id: string, joined: string): Belonging {
  const find = `select ${id} as id, t.flow_run_id as run from task_run t join ${table} s on ${joined} where t.flow_run_id = any($1)`
  return { table, find }
}

function ofTaskRunAlone(table: string): Belonging {
  const alone = 'task_run_id = any($1) and flow_run_id is null'
  return { table, find: `select id, task_run_id as run from ${table} where ${alone}` }
}

function activityOf(kind: RunKind['kind']): Belonging {
  const ids = `select 'prefect.${kind}.' || run as id, run from unnest($1::uuid[]) run`
  return {
    table: 'resource_activity',
    find: `select id, run from (${ids}) r join resource_activity on resource_id = id`,
  }
}

/** A row that belongs to a run. */
export interface Remain {
  readonly table: string
  readonly id: string
  readonly run: string
}

/** Of runs those that are not there: one may have been made again under its id. */
export async function runsGone(db: Queryable, { table }: RunKind, ids: readonly string[]): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `select wanted.id from unnest($1::uuid[]) as wanted(id)
     where not exists (select from ${table} r where r.id = wanted.id)`,
    [ids],
  )
  return rows.map(({ id }) => id)
}

/** Rows of runs that one event clears: at least `limit` of them, if there are so many. */
export function listCleared(db: Queryable, kind: RunKind, runs: readonly string[], limit: number): Promise<Remain[]> {
  return list(db, kind.cleared, runs, limit) // no task run leaves before what is found by it
}

/** Rows of runs that are deleted one by one: at least `limit` of them, if there are so many. */
export function listCommanded(db: Queryable, kind: RunKind, runs: readonly string[], limit: number): Promise<Remain[]> {
  return list(db, kind.commanded, runs, limit)
}

/** How many rows of runs each table has, counted up to a bound; tables without any are left out. */
export async function countRemains(
  db: Queryable,
  { cleared, commanded }: RunKind,
  runs: readonly string[],
  most: number,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (const { table, find } of [...commanded, ...cleared]) {
    const { rows } = await db.query<{ count: number }>(`select count(*)::int4 as count from (${find} limit $2) found`, [
      runs,
      most,
    ])
    const count = rows[0]?.count ?? 0
    if (count > 0) counts.set(table, (counts.get(table) ?? 0) + count)
  }
  return counts
}

async function list(
  db: Queryable,
  tables: readonly Belonging[],
  runs: readonly string[],
  limit: number,
): Promise<Remain[]> {
  const found: Remain[] = []
  for (const { table, find } of tables) {
    const { rows } = await db.query<{ id: string; run: string }>(`${find} limit $2`, [runs, limit])
    for (const row of rows) found.push({ table, ...row })
    if (found.length >= limit) break
  }
  return found
}
