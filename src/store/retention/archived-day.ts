import type { Queryable } from '../checkpoint.ts'

/** A day, or a part of one, that was dropped because the archive had it. */
export interface ArchivedDay {
  readonly day: string
  readonly generation: number
  readonly events: number
  /** URL of the manifest, at the time. */
  readonly archive: string
}

/** Those of one day (`2026-11-01`) or all of them, the oldest first. */
export async function archivedDays(db: Queryable, day: string | null): Promise<ArchivedDay[]> {
  const { rows } = await db.query<ArchivedDay>(
    `select to_char(day, 'YYYY-MM-DD') as day, generation, event_count::float8 as events, archive from pruned_day
     where archive is not null and ($1::date is null or day = $1) order by pruned_day.day, generation`,
    [day],
  )
  return rows
}
