import type { Queryable } from '../checkpoint.ts'

/** A day that left the log, or a part of it. */
export interface PrunedDay {
  readonly date: string
  readonly generation: number
  /** `detached` until it is dropped. */
  readonly state: string
  readonly events: number
  readonly bytes: number
  readonly detachedAt: string
  /** URL of the manifest; null when it was not archived. */
  readonly archive: string | null
}

/** What left last, the latest first. */
export async function listPruned(db: Queryable, limit: number): Promise<PrunedDay[]> {
  const { rows } = await db.query<PrunedDay>(
    `select to_char(day, 'YYYY-MM-DD') as date, generation, state, event_count::float8 as events, bytes::float8 as bytes,
       to_char(detached_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as "detachedAt", archive
     from pruned_day order by detached_at desc, day desc, generation desc limit $1`,
    [limit],
  )
  return rows
}

/** Every day that left the log in whole or in part, the oldest first. */
export async function prunedDays(db: Queryable): Promise<{ readonly date: string; readonly generation: number }[]> {
  const { rows } = await db.query<{ date: string; generation: number }>(
    `select to_char(day, 'YYYY-MM-DD') as date, generation from pruned_day order by day, generation`,
  )
  return rows
}

/** What was dropped lately: the process that did it may have died before it had tidied up. */
export async function droppedLately(db: Queryable): Promise<{ readonly day: number; readonly generation: number }[]> {
  const { rows } = await db.query<{ day: number; generation: number }>(
    `select (day - date '1970-01-01')::int4 as day, generation from pruned_day
     where state = 'dropped' and dropped_at > now() - interval '1 day' order by day, generation`,
  )
  return rows
}

/** A day of which events left the log after a moment; null when none did. */
export async function prunedSince(db: Queryable, moment: string): Promise<string | null> {
  const { rows } = await db.query<{ date: string }>(
    `select to_char(day, 'YYYY-MM-DD') as date from pruned_day where detached_at > $1::timestamptz order by day limit 1`,
    [moment],
  )
  return rows[0]?.date ?? null
}
