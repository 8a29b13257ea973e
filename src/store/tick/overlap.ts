/** The ticks of jobs whose ticks may not run side by side: what there is to be arranged, and what an arrangement writes. */
import type { Queryable } from '#src/store/checkpoint.ts'
import { BY_SCHEDULE, type KeyRow, keyColumns, keyOf, type TickKey } from './key.ts'

/** One job's ticks that have no outcome. */
export interface TickQueue {
  readonly job: string
  /** The exclusive one that runs. `alive`: its lease holds. */
  readonly running: (TickKey & { readonly alive: boolean }) | null
  /** Those that are free, by their instants; of what was scheduled and of what was asked for at most `limit` each. */
  readonly waiting: readonly TickKey[]
}

/** The ticks of these jobs that have no outcome. A job without any is left out. */
export async function readQueues(db: Queryable, jobs: readonly string[], limit: number): Promise<TickQueue[]> {
  const free = (which: string) => `(
    select job, scheduled_for, origin, false as holds, false as alive from tick
    where job = w.job and state in ('open', 'running') and not (state = 'running' and exclusive)
      and lease_until <= clock_timestamp() and ${which}
    order by scheduled_for limit $2)`
  const { rows } = await db.query<KeyRow & { holds: boolean; alive: boolean }>(
    `select t.job, t.scheduled_for, t.origin, t.holds, t.alive from unnest($1::text[]) as w(job)
     cross join lateral (
       (select job, scheduled_for, origin, true as holds, lease_until > clock_timestamp() as alive from tick
        where job = w.job and state = 'running' and exclusive)
       union all ${free(`origin = '${BY_SCHEDULE}'`)}
       union all ${free(`origin <> '${BY_SCHEDULE}'`)}
     ) t
     order by t.job, t.scheduled_for`,
    [jobs, limit],
  )
  return [...Map.groupBy(rows, ({ job }) => job)].map(([job, ticks]) => {
    const holder = ticks.find(({ holds }) => holds)
    return {
      job,
      running: holder === undefined ? null : { ...keyOf(holder), alive: holder.alive },
      waiting: ticks.filter(({ holds }) => !holds).map(keyOf),
    }
  })
}

/** Ends what another process runs: whatever it writes from now on changes nothing. */
export async function cancelRunning(db: Queryable, key: TickKey, reason: string): Promise<void> {
  await db.query(
    `update tick set state = 'failed', reason = $4, fence = fence + 1, decided_at = clock_timestamp(), lease_until = null
     where job = $1 and scheduled_for = $2 and origin = $3 and state = 'running'`,
    [key.job, new Date(key.scheduledForMs).toISOString(), key.origin, reason],
  )
}

const FREE = `t.job = w.job and t.scheduled_for = w.scheduled_for and t.origin = w.origin
  and t.state in ('open', 'running') and t.lease_until <= clock_timestamp()`

/** Decides that ticks which wait will not be run. Returns those that nobody took meanwhile. */
export async function skipWaiting(
  db: Queryable,
  ticks: readonly (TickKey & { readonly reason: string })[],
): Promise<TickKey[]> {
  const { rows } = await db.query<KeyRow>(
    `update tick t set state = 'skipped', reason = w.reason, fence = t.fence + 1, decided_at = clock_timestamp(), lease_until = null
     from unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[]) as w(job, scheduled_for, origin, reason)
     where ${FREE} returning t.job, t.scheduled_for, t.origin`,
    [...keyColumns(ticks), ticks.map(({ reason }) => reason)],
  )
  return rows.map(keyOf)
}

/** Takes back rows that should not be, unless somebody took them: their instants are none of the schedule's. */
export async function dropWaiting(db: Queryable, keys: readonly TickKey[]): Promise<void> {
  await db.query(
    `delete from tick t using unnest($1::text[], $2::timestamptz[], $3::text[]) as w(job, scheduled_for, origin)
     where ${FREE}`,
    keyColumns(keys),
  )
}
