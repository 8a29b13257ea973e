/** The processes that run jobs. */
import type { Queryable } from '#src/store/checkpoint.ts'
import { CATALOG_MARK } from './catalog.ts'

/** A process says every 2 s that it lives. */
const LIVES_MS = 30_000

export interface ServiceProcess {
  readonly id: string
  readonly host: string
  readonly pid: number
  readonly release: string
  /** The hash of each definition it has, by job. */
  readonly jobs: Readonly<Record<string, string>>
}

/** Says that a process lives, and what it runs. Returns the time by Postgres' clock, and the catalog's mark. */
export async function reportProcess(
  db: Queryable,
  { id, host, pid, release, jobs }: ServiceProcess,
): Promise<{ nowMs: number; mark: string }> {
  const { rows } = await db.query<{ now: Date; mark: string }>(
    `insert into service_process (id, host, pid, release, jobs) values ($1, $2, $3, $4, $5)
     on conflict (id) do update set seen_at = clock_timestamp(), jobs = excluded.jobs
     returning clock_timestamp() as now, (${CATALOG_MARK}) as mark`,
    [id, host, pid, release, JSON.stringify(jobs)],
  )
  const { now, mark } = rows[0] as { now: Date; mark: string }
  return { nowMs: now.getTime(), mark }
}

/** Forgets processes that were not seen for a long time. Returns how many. */
export async function forgetSilentProcesses(db: Queryable, silentMs: number): Promise<number> {
  const { rowCount } = await db.query(
    `delete from service_process where seen_at < clock_timestamp() - $1 * interval '1 millisecond'`,
    [silentMs],
  )
  return rowCount ?? 0
}

/**
 * Jobs that none of the processes seen within `silentMs` runs, and that are not removed yet. None while no process has been up for so
 * long itself: after an outage of all of them each is to have the time to come back.
 */
export async function listOrphans(db: Queryable, silentMs: number): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(
    `with alive as (
       select jobs from service_process where seen_at > clock_timestamp() - $1 * interval '1 millisecond'
     )
     select j.name from job j join job_version v on v.job = j.name and v.version = j.version
     where v.state <> 'removed' and v.valid_from < clock_timestamp() - $1 * interval '1 millisecond'
       and not exists (select from alive where jobs ->> j.name is not null)
       and exists (
         select from service_process
         where started_at < clock_timestamp() - $1 * interval '1 millisecond'
           and seen_at > clock_timestamp() - interval '${LIVES_MS} milliseconds'
       )
     order by j.name`,
    [silentMs],
  )
  return rows.map(({ name }) => name)
}
