/** What the auditor compares: the jobs, the rows behind their watermarks, and the watermarks themselves. */
import type { Queryable } from '#src/store/checkpoint.ts'
import { BY_SCHEDULE } from './key.ts'

/** One number for all databases: names the lock that spares others the same work. */
const LOCK = 0x7469636b

/**
 * Postgres' time when it is this process's turn to look, for as long as the transaction lasts; else null. A turn that was taken
 * later than now was taken before the clock was set back.
 */
export async function takeAuditTurn(tx: Queryable, everyMs: number): Promise<number | null> {
  const { rows } = await tx.query<{ now: Date }>(
    `update tick_audit set audited_at = clock_timestamp()
     where pg_try_advisory_xact_lock(${LOCK})
       and audited_at not between clock_timestamp() - $1 * interval '1 millisecond' and clock_timestamp()
     returning clock_timestamp() as now`,
    [everyMs],
  )
  return rows[0]?.now.getTime() ?? null
}

/** How far a job is, and the number of its version in force. */
export interface JobMark {
  readonly job: string
  readonly version: number
  readonly watermarkMs: number
  /** Some tick of it has no outcome yet. */
  readonly unfinished: boolean
}

/** All jobs, those that are furthest behind first. */
export async function listByWatermark(tx: Queryable): Promise<JobMark[]> {
  const { rows } = await tx.query<{ name: string; version: string; watermark: Date; unfinished: boolean }>(
    `select j.name, j.version, j.watermark, t.job is not null as unfinished
     from job j left join (select distinct job from tick where state in ('open', 'running')) t on t.job = j.name
     order by j.watermark, j.name`,
  )
  return rows.map(({ name, version, watermark, unfinished }) => ({
    ...{ job: name, unfinished },
    version: Number(version),
    watermarkMs: watermark.getTime(),
  }))
}

/** Keeps schedules from being changed until the transaction ends; waits for changes that are under way. */
export async function holdSchedules(tx: Queryable, jobs: readonly string[]): Promise<void> {
  await tx.query('select from job where name = any($1::text[]) order by name for key share', [jobs])
}

/** Whether a row has its outcome, or is still on its way. */
export interface AuditRow {
  readonly scheduledForMs: number
  readonly isFinal: boolean
}

/** The rows of scheduled ticks after each job's watermark, ascending, at most `limit` of each job. */
export async function listRowsSince(
  tx: Queryable,
  jobs: readonly { readonly job: string; readonly sinceMs: number }[],
  limit: number,
): Promise<Map<string, AuditRow[]>> {
  const { rows } = await tx.query<{ job: string; scheduled_for: Date; final: boolean }>(
    `select w.job, t.scheduled_for, t.final
     from unnest($1::text[], $2::timestamptz[]) as w(job, since)
     cross join lateral (
       select scheduled_for, state in ('done', 'skipped', 'failed') as final from tick
       where job = w.job and scheduled_for > w.since and origin = '${BY_SCHEDULE}'
       order by scheduled_for limit $3
     ) t
     order by w.job, t.scheduled_for`,
    [jobs.map(({ job }) => job), jobs.map(({ sinceMs }) => new Date(sinceMs).toISOString()), limit],
  )
  const found = new Map<string, AuditRow[]>()
  for (const { job, scheduled_for: at, final } of rows) {
    const list = found.get(job) ?? []
    list.push({ scheduledForMs: at.getTime(), isFinal: final })
    found.set(job, list)
  }
  return found
}

/** Of each job the first scheduled tick without an outcome after its watermark, up to and including `sinceMs`. */
export async function firstUnfinished(
  tx: Queryable,
  jobs: readonly { readonly job: string; readonly watermarkMs: number; readonly sinceMs: number }[],
): Promise<Map<string, number>> {
  const { rows } = await tx.query<{ job: string; first: Date }>(
    `select t.job, min(t.scheduled_for) as first
     from unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) as w(job, watermark, since)
     join tick t on t.job = w.job and t.scheduled_for > w.watermark and t.scheduled_for <= w.since
     where t.state in ('open', 'running') and t.origin = '${BY_SCHEDULE}'
     group by t.job`,
    [
      jobs.map(({ job }) => job),
      jobs.map(({ watermarkMs }) => new Date(watermarkMs).toISOString()),
      jobs.map(({ sinceMs }) => new Date(sinceMs).toISOString()),
    ],
  )
  return new Map(rows.map(({ job, first }) => [job, first.getTime()]))
}

/** Moves watermarks forward; one that is further stays. */
export async function moveWatermarks(
  tx: Queryable,
  marks: readonly { readonly job: string; readonly watermarkMs: number }[],
): Promise<void> {
  await tx.query(
    `update job j set watermark = w.watermark from unnest($1::text[], $2::timestamptz[]) as w(job, watermark)
     where j.name = w.job and j.watermark < w.watermark`,
    [marks.map(({ job }) => job), marks.map(({ watermarkMs }) => new Date(watermarkMs).toISOString())],
  )
}

/** The instant before which every tick of every job is decided; null without jobs. */
export async function lowestWatermark(db: Queryable): Promise<number | null> {
  const { rows } = await db.query<{ lowest: Date | null }>('select min(watermark) as lowest from job')
  return rows[0]?.lowest?.getTime() ?? null
}
