import type { Queryable } from '../checkpoint.ts'

/** Whether the tables of all of these are made of all events. */
export async function areLive(db: Queryable, projections: readonly { readonly name: string }[]): Promise<boolean> {
  const names = projections.map(({ name }) => name)
  const { rowCount } = await db.query(`select from projection where name = any($1) and state = 'live'`, [names])
  return rowCount === names.length
}

/** A projection that a release or its first start left to be rebuilt. */
export interface ProjectionDue {
  readonly name: string
  readonly reason: 'version' | 'partial'
}

/**
 * Of these projections, those whose code is newer than their table, or whose table lacks events: unless a rebuild is under
 * way, or somebody took an older table back.
 * @param projections those of the code
 */
export async function projectionsDue(
  db: Queryable,
  projections: readonly { readonly name: string; readonly version: number }[],
): Promise<ProjectionDue[]> {
  const { rows } = await db.query<ProjectionDue>(
    `select p.name, case when c.version > p.version then 'version' else 'partial' end as reason
     from projection p join unnest($1::text[], $2::int4[]) as c(name, version) using (name)
     where p.rebuild is null and not p.held and (c.version > p.version or (c.version = p.version and p.state = 'partial'))`,
    [projections.map(({ name }) => name), projections.map(({ version }) => version)],
  )
  return rows
}
