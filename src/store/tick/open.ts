/** Rows of ticks that nobody runs yet, and of those that nobody will. */
import type { Queryable } from '#src/store/checkpoint.ts'
import { type KeyRow, keyColumns, keyOf, MOMENT, type TickKey, TOLERANCE_MS } from './key.ts'

const KEYS = 'unnest($1::text[], $2::timestamptz[], $3::text[])'

/**
 * Writes ticks down as to be run, by whoever knows their jobs and comes first, though not before their time by the clock of
 * Postgres; those that have a row keep it.
 */
export async function openTicks(db: Queryable, keys: readonly TickKey[]): Promise<number> {
  const { rowCount } = await db.query(
    `insert into tick (job, scheduled_for, origin, version, state, lease_until)
     select w.job, w.scheduled_for, w.origin, j.version, 'open', greatest(clock_timestamp(), w.scheduled_for)
     from ${KEYS} as w(job, scheduled_for, origin) join job j on j.name = w.job
     where w.origin <> 'schedule' or w.scheduled_for > j.watermark
     order by w.job, w.scheduled_for
     on conflict do nothing`,
    keyColumns(keys),
  )
  return rowCount ?? 0
}

/** Writes ticks down as skipped; those that have a row keep it. Returns how many were written. */
export async function skipTicks(
  db: Queryable,
  ticks: readonly (TickKey & { readonly reason: string })[],
): Promise<number> {
  const { rowCount } = await db.query(
    `insert into tick (job, scheduled_for, origin, version, state, reason, decided_at)
     select w.job, w.scheduled_for, w.origin, j.version, 'skipped', w.reason, clock_timestamp()
     from unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[]) as w(job, scheduled_for, origin, reason)
     join job j on j.name = w.job
     order by w.job, w.scheduled_for
     on conflict do nothing`,
    [...keyColumns(ticks), ticks.map(({ reason }) => reason)],
  )
  return rowCount ?? 0
}

/**
 * The same for ticks that were taken from the stream, as long as they are due and each job has the version in force by which it was
 * decided. Returns those that were written.
 */
export async function skipNew(
  db: Queryable,
  ticks: readonly (TickKey & { readonly reason: string; readonly version: number })[],
): Promise<TickKey[]> {
  const { rows } = await db.query<KeyRow>(
    `with ${MOMENT}
     insert into tick as t (job, scheduled_for, origin, version, state, reason, decided_at)
     select w.job, w.scheduled_for, w.origin, j.version, 'skipped', w.reason, m.now
     from unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::int8[])
       as w(job, scheduled_for, origin, reason, version)
     cross join moment m join job j on j.name = w.job and j.version = w.version
     where w.scheduled_for <= m.now + interval '${TOLERANCE_MS} milliseconds' and w.scheduled_for > j.watermark
     order by w.job, w.scheduled_for
     for key share of j
     on conflict do nothing
     returning t.job, t.scheduled_for, t.origin`,
    [...keyColumns(ticks), ticks.map(({ reason }) => reason), ticks.map(({ version }) => version)],
  )
  return rows.map(keyOf)
}

/** Decides that ticks of these jobs which nobody runs will not be run. Returns how many there were. */
export async function skipOpenOf(db: Queryable, jobs: readonly string[], reason: string): Promise<number> {
  const { rowCount } = await db.query(
    `update tick set state = 'skipped', reason = $2, fence = fence + 1, decided_at = clock_timestamp(), lease_until = null
     where job = any($1::text[]) and state in ('open', 'running') and lease_until <= clock_timestamp()`,
    [jobs, reason],
  )
  return rowCount ?? 0
}
