/** What deleted flow runs have left behind: found by the log, which has an event for each deletion. */
import { FLOW_RUN_DELETED } from '#src/events/flow-run.ts'
import type { Queryable } from '../checkpoint.ts'

/** A table, and how rows of it that belong to flow runs are found; their key is `id`. */
interface Belonging {
  readonly table: string
  readonly find: string
}

/**
 * Rows whose events are all in the order of the run's, so that FLOW_RUN_CLEARED may remove them. Task runs come last, since
 * their states are found by them.
 */
const CLEARED: readonly Belonging[] = [
  ...['flow_run_state', 'log'].map(ofRun),
  {
    table: 'task_run_state',
    find: `select s.id, t.flow_run_id as run from task_run t join task_run_state s on s.task_run_id = t.id
           where t.flow_run_id = any($1)`,
  },
  ofRun('task_run'),
]

/** Rows with an order and a version of their own: commands delete them. */
const DELETED: readonly Belonging[] = ['flow_run_input', 'artifact'].map(ofRun)

function ofRun(table: string): Belonging {
  return { table, find: `select id, flow_run_id as run from ${table} where flow_run_id = any($1)` }
}

/** An event that says that a run was deleted; `occurred` as Postgres writes it, with all its digits. */
export interface Deletion {
  readonly occurred: string
  readonly id: string
  readonly resourceId: string
}

/** A place among the deletions, in the order in which they occurred. */
export type DeletionPlace = Pick<Deletion, 'occurred' | 'id'>

/** A row that belongs to a run. */
export interface Remain {
  readonly table: string
  readonly id: string
  readonly run: string
}

const FIRST: DeletionPlace = { occurred: '-infinity', id: '00000000-0000-0000-0000-000000000000' }

/** The deletions behind a place and before a moment, the first ones. */
export async function listDeletions(
  db: Queryable,
  after: DeletionPlace | null,
  beforeMs: number,
  limit: number,
): Promise<Deletion[]> {
  const { occurred, id } = after ?? FIRST
  const { rows } = await db.query<Deletion>(
    `select occurred::text, id, resource_id as "resourceId" from event
     where event = $1 and (occurred, id) > ($2::timestamptz, $3::uuid) and occurred < to_timestamp($4::float8 / 1000)
     order by occurred, id limit $5`,
    [FLOW_RUN_DELETED, occurred, id, beforeMs, limit],
  )
  return rows
}

/** Of runs those that are not there: one may have been made again under its id. */
export async function runsGone(db: Queryable, ids: readonly string[]): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `select wanted.id from unnest($1::uuid[]) as wanted(id)
     where not exists (select from flow_run r where r.id = wanted.id)`,
    [ids],
  )
  return rows.map(({ id }) => id)
}

/** Rows of runs that one event clears: at least `limit` of them, if there are so many. */
export function listCleared(db: Queryable, runs: readonly string[], limit: number): Promise<Remain[]> {
  return list(db, CLEARED, runs, limit) // no task run leaves before its states
}

/** Rows of runs that are deleted one by one: at least `limit` of them, if there are so many. */
export function listDeleted(db: Queryable, runs: readonly string[], limit: number): Promise<Remain[]> {
  return list(db, DELETED, runs, limit)
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

/** How far somebody has come; null at the beginning. */
export async function readPlace(db: Queryable, name: string): Promise<DeletionPlace | null> {
  const { rows } = await db.query<DeletionPlace>('select occurred::text, id from followed_up where name = $1', [name])
  return rows[0] ?? null
}

export async function writePlace(db: Queryable, name: string, { occurred, id }: DeletionPlace): Promise<void> {
  await db.query(
    `insert into followed_up (name, occurred, id) values ($1, $2, $3)
     on conflict (name) do update set occurred = excluded.occurred, id = excluded.id`,
    [name, occurred, id],
  )
}

/** Whether a table of the log has deletions behind a place. */
export async function hasDeletions(db: Queryable, table: string, after: DeletionPlace | null): Promise<boolean> {
  const { occurred, id } = after ?? FIRST
  const { rowCount } = await db.query(
    `select from ${table} where event = $1 and (occurred, id) > ($2::timestamptz, $3::uuid) limit 1`,
    [FLOW_RUN_DELETED, occurred, id],
  )
  return rowCount !== 0
}
