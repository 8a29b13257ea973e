/** Days of the log that retention leaves alone for a while. */
import type { Queryable } from '../checkpoint.ts'

/** Days that are to be left alone, and until when (epoch milliseconds). */
export async function heldDays(db: Queryable, nowMs: number): Promise<Map<number, number>> {
  const { rows } = await db.query<{ day: number; until: number }>(
    `select (day - date '1970-01-01')::int4 as day, extract(epoch from held_until)::float8 * 1000 as until
     from held_day where held_until > to_timestamp($1::float8 / 1000)`,
    [nowMs],
  )
  return new Map(rows.map(({ day, until }) => [day, until]))
}

/** Whether a day is held, or a rebuild has begun to read the log: asked again when the plan is carried out. */
export async function isHeld(db: Queryable, day: number): Promise<boolean> {
  const { rows } = await db.query<{ held: boolean }>(
    `select exists (select from held_day where day = date '1970-01-01' + $1::int4)
       or exists (select from rebuild where state in ('requested', 'running')) as held`,
    [day],
  )
  return rows[0]?.held ?? false
}

/**
 * Keeps rebuilds from being asked for until the transaction ends, so that what `isHeld` says holds: a rebuild looks at what
 * is missing once, before it reads. The leases of those under way are not renewed meanwhile: for milliseconds only.
 */
export async function keepRebuildsOut(db: Queryable): Promise<void> {
  await db.query('lock table rebuild in share mode')
}

/** Forgets days whose time is over. */
export async function releaseHeld(db: Queryable, nowMs: number): Promise<void> {
  await db.query('delete from held_day where held_until <= to_timestamp($1::float8 / 1000)', [nowMs])
}

/** Has a day left alone until a moment. */
export async function holdDay(db: Queryable, day: number, untilMs: number, reason: string): Promise<void> {
  await db.query(
    `insert into held_day (day, held_until, reason) values (date '1970-01-01' + $1::int4, to_timestamp($2::float8 / 1000), $3)
     on conflict (day) do update set held_until = excluded.held_until, reason = excluded.reason`,
    [day, untilMs, reason],
  )
}
