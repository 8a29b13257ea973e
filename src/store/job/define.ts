/** Changes of what a job is: each is one more version, written under the lock of the job's row. */
import type { Pool, PoolClient } from 'pg'
import { BY_SCHEDULE, TOLERANCE_MS } from '#src/store/tick/key.ts'
import { inTransaction } from '#src/store/transaction.ts'
import type { JobCause, JobState } from './catalog.ts'

const TIMEOUT_MS = 10_000
/**
 * As far ahead as a tick may be taken early, so that none of those taken is behind it. If the clock was set back meanwhile: not
 * before any version of the job (`$1`), nor any tick that has a row, nor what the watermark calls decided. Taken while the job's row
 * is locked, which whoever takes a tick shares.
 */
const AFTER_ALL = `greatest(
  date_trunc('milliseconds', clock_timestamp() + interval '${TOLERANCE_MS} milliseconds'),
  (select max(o.valid_from) from job_version o where o.job = $1),
  (select max(t.scheduled_for) from tick t where t.job = $1 and t.origin = '${BY_SCHEDULE}'),
  (select o.watermark from job o where o.name = $1))`

export interface Definition {
  readonly job: string
  readonly spec: unknown
  readonly policy: unknown
  readonly hash: string
  readonly tzVersion: string
  /** From when on a job that is new is due; null: from now on. */
  readonly firstAfterMs: number | null
}

export interface Definer {
  /** The process, as in `service_process`. */
  readonly process: string
  /** Processes that were not seen for so long do not count any more. */
  readonly silentMs: number
}

interface Current {
  readonly version: string
  readonly state: JobState
  readonly hash: string
}

/**
 * Defines those jobs that there are not yet, all with one statement: a process that starts may bring a thousand. Returns their
 * names; whoever brings the same at the same moment waits, and is told of none.
 */
export async function defineNewJobs(
  pool: Pool,
  definitions: readonly Definition[],
  definer: Pick<Definer, 'process'>,
): Promise<string[]> {
  const { rows } = await pool.query<{ job: string }>(
    `with wanted as (
       select * from unnest($1::text[], $2::json[], $3::json[], $4::text[], $5::text[], $6::timestamptz[])
         as w(name, spec, policy, hash, tz_version, first_after)
     ), made as (
       insert into job (name, version, watermark)
       select name, 1, coalesce(first_after, date_trunc('milliseconds', clock_timestamp())) from wanted order by name
       on conflict do nothing
       returning name, watermark
     )
     insert into job_version (job, version, cause, state, spec, policy, hash, actor, tz_version, valid_from)
     select name, 1, 'defined', 'active', w.spec, w.policy, w.hash, $7, w.tz_version, m.watermark
     from made m join wanted w using (name)
     returning job`,
    [
      definitions.map(({ job }) => job),
      definitions.map(({ spec }) => JSON.stringify(spec)),
      definitions.map(({ policy }) => JSON.stringify(policy)),
      definitions.map(({ hash }) => hash),
      definitions.map(({ tzVersion }) => tzVersion),
      definitions.map(({ firstAfterMs }) => isoOrNull(firstAfterMs)),
      definer.process,
    ],
  )
  return rows.map(({ job }) => job)
}

/**
 * Makes a definition that a process brings the one in force, where there is one, unless that would bring back an older one: a definition that
 * was there before stays behind as long as any other process runs the one in force. So of two builds side by side the newer
 * decides, whoever starts last; and when the newer is gone, the older holds again.
 */
export async function defineJob(pool: Pool, definition: Definition, definer: Definer): Promise<JobCause | null> {
  return inTransaction(pool, TIMEOUT_MS, async (client) => {
    const { job, hash } = definition
    const current = await lockJob(client, job)
    if (current === null || (current.hash === hash && current.state !== 'removed')) return null
    const { rows } = await client.query<{ stays: boolean }>(
      `select exists (select from job_version where job = $1 and hash = $2)
         and exists (
           select from service_process where id <> $3 and jobs ->> $1 = $4
             and seen_at > clock_timestamp() - $5 * interval '1 millisecond'
         ) as stays`,
      [job, hash, definer.process, current.hash, definer.silentMs],
    )
    if (current.state !== 'removed' && rows[0]?.stays) return null
    const cause = current.state === 'removed' ? 'defined' : 'changed'
    const state = current.state === 'paused' ? 'paused' : 'active'
    await addVersion(client, definition, { version: Number(current.version) + 1, cause, state, actor: definer.process })
    return cause
  })
}

/** Pauses, resumes or removes a job: the same definition in another state. False when it is in that state already. */
export async function changeJobState(
  pool: Pool,
  job: string,
  { state, cause, actor }: { readonly state: JobState; readonly cause: JobCause; readonly actor: string },
): Promise<boolean> {
  return inTransaction(pool, TIMEOUT_MS, async (client) => {
    const current = await lockJob(client, job)
    if (current === null || current.state === state || current.state === 'removed') return false
    await client.query(
      `insert into job_version (job, version, cause, state, spec, policy, hash, actor, tz_version, valid_from)
       select job, version + 1, $2, $3, spec, policy, hash, $4, tz_version, ${AFTER_ALL}
       from job_version where job = $1 and version = $5`,
      [job, cause, state, actor, current.version],
    )
    await client.query('update job set version = version + 1 where name = $1', [job])
    return true
  })
}

/** Null when there is no such job. */
async function lockJob(client: PoolClient, job: string): Promise<Current | null> {
  await client.query('select from job where name = $1 for update', [job])
  const { rows } = await client.query<Current>(
    `select v.version, v.state, v.hash from job j join job_version v on v.job = j.name and v.version = j.version where j.name = $1`,
    [job],
  )
  return rows[0] ?? null
}

async function addVersion(
  client: PoolClient,
  { job, spec, policy, hash, tzVersion }: Definition,
  { version, cause, state, actor }: { version: number; cause: JobCause; state: JobState; actor: string },
): Promise<void> {
  await client.query(
    `insert into job_version (job, version, cause, state, spec, policy, hash, actor, tz_version, valid_from)
     select name, $2::int8, $3, $4, $5, $6, $7, $8, $9, ${AFTER_ALL}
     from job where name = $1`,
    [job, version, cause, state, JSON.stringify(spec), JSON.stringify(policy), hash, actor, tzVersion],
  )
  await client.query('update job set version = $2 where name = $1', [job, version])
}

function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}
