import type { Queryable } from './checkpoint.ts'

/** An event as the log finds it. */
interface Sought {
  readonly id: string
  readonly occurredMs: number
}

/**
 * Which of these events are not in the log. Asked by id within two milliseconds of the time it occurred, so that each
 * one is a look into one index of one day.
 */
export async function missingEvents(db: Queryable, events: readonly Sought[]): Promise<Set<string>> {
  const { rows } = await db.query<{ id: string }>(
    `select wanted.id from unnest($1::uuid[], $2::float8[]) as wanted(id, ms)
     where not exists (
       select from event
       where event.id = wanted.id
         and event.occurred >= to_timestamp((wanted.ms - 1) / 1000) and event.occurred < to_timestamp((wanted.ms + 2) / 1000))`,
    [events.map(({ id }) => id), events.map(({ occurredMs }) => occurredMs)],
  )
  return new Set(rows.map(({ id }) => id))
}
