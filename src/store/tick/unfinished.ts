/** Ticks that have no outcome yet, as whoever looks for work finds them. */
import type { Queryable } from '#src/store/checkpoint.ts'
import { type KeyRow, keyOf, type TickKey } from './key.ts'

export interface Unfinished {
  /** Those that wait to be run, or whose holder died, of jobs whose ticks run side by side. */
  readonly free: readonly TickKey[]
  /** Other jobs that have any. */
  readonly jobs: readonly string[]
  /** True when there is more, in somebody's hands. */
  readonly held: boolean
  /** The time by Postgres' clock; null when nothing is unfinished. */
  readonly nowMs: number | null
}

/**
 * What is unfinished, longest free first, ticks whose holder died before all others.
 * @param exclusive jobs whose ticks do not run side by side: they are named if they have any, whichever process runs one
 * @param limit of the ticks of other jobs, and of the jobs named
 */
export async function listUnfinished(
  db: Queryable,
  { exclusive, others, limit }: { exclusive: readonly string[]; others: readonly string[]; limit: number },
): Promise<Unfinished> {
  const { rows } = await db.query<KeyRow & { free: boolean; alone: boolean; now: Date }>(
    `select job, scheduled_for, origin, free, alone, clock_timestamp() as now from (
       select t.job, t.scheduled_for, t.origin, t.state, t.lease_until, w.alone, t.lease_until <= clock_timestamp() as free,
         row_number() over (partition by t.job order by t.lease_until) as place
       from unnest($1::text[], $2::bool[]) as w(job, alone)
       join tick t on t.job = w.job and t.state in ('open', 'running')
     ) u
     where not alone or place = 1
     order by free desc, state = 'running' desc, lease_until, scheduled_for limit $3`,
    [[...exclusive, ...others], [...exclusive.map(() => true), ...others.map(() => false)], limit],
  )
  const free = rows.filter((row) => row.free)
  return {
    free: free.filter(({ alone }) => !alone).map(keyOf),
    jobs: free.filter(({ alone }) => alone).map(({ job }) => job),
    held: free.length < rows.length,
    nowMs: rows[0]?.now.getTime() ?? null,
  }
}
