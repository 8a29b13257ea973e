/** Deletions of runs, as the log has them, and how far they have been followed up. */
import { RESOURCE_ID, RESOURCE_ROLE, type Resource } from '#src/events/event.ts'
import { uuidOf } from '#src/events/set-fields.ts'
import type { Queryable } from '../checkpoint.ts'

/** An event that says that a run was deleted; `occurred` as Postgres writes it, with all its digits. */
export interface Deletion {
  readonly occurred: string
  readonly id: string
  /** The same moment, canonical. */
  readonly at: string
  /** The run; null where its resource names none. */
  readonly run: string | null
  /** The flow run that a task run belonged to. */
  readonly flowRunId: string | null
}

/** A place among the deletions, in the order in which they occurred. */
export type DeletionPlace = Pick<Deletion, 'occurred' | 'id'>

const FIRST: DeletionPlace = { occurred: '-infinity', id: '00000000-0000-0000-0000-000000000000' }

/** The deletions of a name behind a place and before a moment, the first ones. */
export async function listDeletions(
  db: Queryable,
  name: string,
  after: DeletionPlace | null,
  beforeMs: number,
  limit: number,
): Promise<Deletion[]> {
  const { occurred, id } = after ?? FIRST
  const { rows } = await db.query<
    Omit<Deletion, 'run' | 'flowRunId'> & { readonly resourceId: string; readonly related: readonly Resource[] }
  >(
    `select occurred::text, id, resource_id as "resourceId", related,
       to_char(occurred at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at
     from event
     where event = $1 and (occurred, id) > ($2::timestamptz, $3::uuid) and occurred < to_timestamp($4::float8 / 1000)
     order by occurred, id limit $5`,
    [name, occurred, id, beforeMs, limit],
  )
  return rows.map(({ resourceId, related, ...place }) => {
    const flowRun = related.find((resource) => resource[RESOURCE_ROLE] === 'flow-run')
    return { ...place, run: uuidOf(resourceId), flowRunId: uuidOf(flowRun?.[RESOURCE_ID] ?? '') }
  })
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

/** Whether a table of the log has deletions of a name behind a place. */
export async function hasDeletions(
  db: Queryable,
  table: string,
  name: string,
  after: DeletionPlace | null,
): Promise<boolean> {
  const { occurred, id } = after ?? FIRST
  const { rowCount } = await db.query(
    `select from ${table} where event = $1 and (occurred, id) > ($2::timestamptz, $3::uuid) limit 1`,
    [name, occurred, id],
  )
  return rowCount !== 0
}
