import type { Queryable } from '../checkpoint.ts'

/** A name of which events left the log before their day did. */
export interface PrunedName {
  readonly name: string
  /** Those that occurred before this moment may be gone. */
  readonly upToMs: number
}

/** Belongs into the transaction that deletes them. */
export async function notePrunedName(db: Queryable, { name, upToMs }: PrunedName): Promise<void> {
  await db.query(
    `insert into pruned_name (event, up_to) values ($1, to_timestamp($2::float8 / 1000))
     on conflict (event) do update set up_to = greatest(pruned_name.up_to, excluded.up_to)`,
    [name, upToMs],
  )
}

export async function prunedNames(db: Queryable): Promise<PrunedName[]> {
  const { rows } = await db.query<PrunedName>(
    `select event as name, extract(epoch from up_to)::float8 * 1000 as "upToMs" from pruned_name order by event`,
  )
  return rows
}
