/** How far each job is, and what it waits for. */
import type { Queryable } from '#src/store/checkpoint.ts'
import { BY_SCHEDULE } from './key.ts'

export interface JobStanding {
  readonly job: string
  readonly watermarkMs: number
  /** Ticks that wait or run. */
  readonly open: number
  /** Somebody runs the oldest of them that was scheduled, and says so: what comes after it may wait. */
  readonly running: boolean
}

/** Every job that is not removed, and the time by Postgres' clock. */
export async function listStandings(db: Queryable): Promise<{ nowMs: number; jobs: JobStanding[] }> {
  const { rows } = await db.query<{ name: string; watermark: Date; open: string; running: boolean; now: Date }>(
    `select j.name, j.watermark, clock_timestamp() as now,
       count(t.job) as open,
       coalesce((array_agg(t.state = 'running' and t.lease_until > clock_timestamp() order by t.scheduled_for)
         filter (where t.origin = '${BY_SCHEDULE}'))[1], false) as running
     from job j
     join job_version v on v.job = j.name and v.version = j.version and v.state <> 'removed'
     left join tick t on t.job = j.name and t.state in ('open', 'running')
     group by j.name, j.watermark order by j.name`,
  )
  return {
    nowMs: rows[0]?.now.getTime() ?? 0,
    jobs: rows.map(({ name, watermark, open, running }) => ({
      ...{ job: name, running },
      watermarkMs: watermark.getTime(),
      open: Number(open),
    })),
  }
}

/** What the latest run of each of these jobs says it did, if it said anything. */
export async function latestResults(
  db: Queryable,
  jobs: readonly string[],
): Promise<Map<string, Readonly<Record<string, number>>>> {
  const { rows } = await db.query<{ job: string; result: Record<string, number> }>(
    `select w.job, t.result from unnest($1::text[]) as w(job)
     cross join lateral (
       select result from tick where job = w.job and state = 'done' and result is not null
       order by scheduled_for desc limit 1
     ) t`,
    [jobs],
  )
  return new Map(rows.map(({ job, result }) => [job, result]))
}
