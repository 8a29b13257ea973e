import type { Queryable } from '../checkpoint.ts'

/** Where the event of a dead letter was appended. */
export interface LetterPlace {
  readonly id: string
  readonly group: string
  readonly partition: number
  readonly ms: number
  readonly seq: number
  readonly index: number
}

/** The places of all dead letters of some groups. */
export async function letterPlaces(db: Queryable, groups: readonly string[]): Promise<LetterPlace[]> {
  const { rows } = await db.query<LetterPlace>(
    `select id, "group", partition, entry_ms::float8 as ms, entry_seq::float8 as seq, entry_index as index
     from dead_letter where "group" = any($1)`,
    [groups],
  )
  return rows
}

/** Of these letters, how many are no longer there. */
export async function countGone(db: Queryable, ids: readonly string[]): Promise<number> {
  const { rows } = await db.query<{ gone: number }>(
    `select (cardinality($1::uuid[]) - count(*))::int4 as gone from dead_letter where id = any($1)`,
    [ids],
  )
  return rows[0]?.gone ?? 0
}

/** Has letters that waited under one group be of another: its events are to be replayed or discarded from now on. */
export async function moveLetters(db: Queryable, from: string, to: string): Promise<void> {
  await db.query('update dead_letter set "group" = $2 where "group" = $1', [from, to])
}

/** Forgets the letters of groups that begin so. */
export async function dropLetters(db: Queryable, beginning: string): Promise<void> {
  await db.query('delete from dead_letter where starts_with("group", $1)', [beginning])
}

/** How many dead letters projections of these names have. */
export async function countLetters(db: Queryable, names: readonly string[]): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    'select count(*)::int4 as count from dead_letter where "group" = any($1)',
    [names.map((name) => `projection:${name}`)],
  )
  return rows[0]?.count ?? 0
}
