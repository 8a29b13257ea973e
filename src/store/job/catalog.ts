/** The jobs as the database has them: what every process goes by, whatever its own code says. */
import type { Queryable } from '#src/store/checkpoint.ts'

export type JobState = 'active' | 'paused' | 'removed'
export type JobCause = 'defined' | 'changed' | 'paused' | 'resumed' | 'removed'

/** What held from one instant, exclusively, to that of the next version, inclusively. */
export interface JobVersion {
  readonly job: string
  readonly version: number
  readonly cause: JobCause
  readonly state: JobState
  /** As `scheduler/spec.ts` has it. */
  readonly spec: unknown
  /** As `scheduler/policy.ts` has it. */
  readonly policy: unknown
  readonly hash: string
  readonly actor: string
  readonly tzVersion: string
  readonly validFromMs: number
}

/** A job with the version in force. */
export interface JobRow extends JobVersion {
  /** Every tick at or before it is decided. */
  readonly watermarkMs: number
}

interface Row {
  job: string
  version: string
  cause: JobCause
  state: JobState
  spec: unknown
  policy: unknown
  hash: string
  actor: string
  tz_version: string
  valid_from: Date
}

const COLUMNS = 'v.job, v.version, v.cause, v.state, v.spec, v.policy, v.hash, v.actor, v.tz_version, v.valid_from'

/** Every job, by name; removed ones too. @param names only these, when given */
export async function listJobs(db: Queryable, names?: readonly string[]): Promise<JobRow[]> {
  const { rows } = await db.query<Row & { watermark: Date }>(
    `select ${COLUMNS}, j.watermark from job j join job_version v on v.job = j.name and v.version = j.version
     where $1::text[] is null or j.name = any($1) order by j.name`,
    [names ?? null],
  )
  return rows.map((row) => ({ ...versionOf(row), watermarkMs: row.watermark.getTime() }))
}

/** The versions that hold for instants after `sinceMs` of each job: oldest first, by job. */
export async function listVersions(
  db: Queryable,
  since: readonly { readonly job: string; readonly sinceMs: number }[],
): Promise<Map<string, JobVersion[]>> {
  const { rows } = await db.query<Row>(
    `select ${COLUMNS} from unnest($1::text[], $2::timestamptz[]) as w(job, since)
     join job_version v on v.job = w.job
     where v.version >= coalesce((
       select max(o.version) from job_version o where o.job = w.job and o.valid_from <= w.since
     ), 0)
     order by v.job, v.version`,
    [since.map(({ job }) => job), since.map(({ sinceMs }) => new Date(sinceMs).toISOString())],
  )
  const found = new Map<string, JobVersion[]>()
  for (const row of rows) found.set(row.job, [...(found.get(row.job) ?? []), versionOf(row)])
  return found
}

/** Changes whenever a job's version does: for who keeps a copy of the catalog. */
export const CATALOG_MARK = `select count(*) || ':' || coalesce(sum(version), 0) as mark from job`

export async function catalogMark(db: Queryable): Promise<string> {
  const { rows } = await db.query<{ mark: string }>(CATALOG_MARK)
  return rows[0]?.mark ?? ''
}

function versionOf(row: Row): JobVersion {
  const { job, cause, state, spec, policy, hash, actor } = row
  return {
    ...{ job, cause, state, spec, policy, hash, actor },
    version: Number(row.version),
    tzVersion: row.tz_version,
    validFromMs: row.valid_from.getTime(),
  }
}
