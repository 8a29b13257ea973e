/** What operators ask of schedules and do to them. Needs Postgres alone, so that it works in any process. */
import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import { NotFound } from '#src/errors.ts'
import { type ClockChange, clockChanges, nextInstants, type ShownInstant, showInstant } from '#src/scheduler/index.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import { type JobRow, type JobVersion, listJobs, listVersions } from '#src/store/job/catalog.ts'
import { changeJobState } from '#src/store/job/define.ts'
import { lastTicks, listTicks, type TickView } from '#src/store/tick/list.ts'
import { openTicks } from '#src/store/tick/open.ts'
import { listStandings } from '#src/store/tick/standing.ts'
import { readyVersion } from './catalog.ts'
import { behindOf, whyBehind } from './watch.ts'

/** A job, and how it stands. */
export interface JobOverview {
  readonly job: JobRow
  readonly last: TickView | null
  /** The next instant; null when it is paused, removed, or its schedule has ended. */
  readonly nextMs: number | null
  /** Ticks that wait or run. */
  readonly open: number
  /** Who runs it now; null when nobody does. */
  readonly owner: string | null
  /** How long ago the oldest tick was due that is not decided; 0 when everything is. */
  readonly behindMs: number
  /** Why, in words; null when it is not behind. */
  readonly why: string | null
}

/** Every job that is not removed, by name. @param names only these, removed or not */
export async function overviewOfJobs(db: Queryable, names?: readonly string[]): Promise<JobOverview[]> {
  const jobs = (await listJobs(db, names)).filter(({ state }) => names !== undefined || state !== 'removed')
  const nowMs = await databaseNow(db)
  const ticks = await lastTicks(
    db,
    jobs.map(({ job }) => job),
  )
  const standings = new Map((await listStandings(db)).jobs.map((standing) => [standing.job, standing]))
  const versions = new Map(jobs.map((job) => [job.job, readyVersion(job)]))
  const behind = await behindOf(
    db,
    [...versions.values()].filter((version) => version !== null),
    nowMs,
  )
  return jobs.map((job) => {
    const { last, open, owner } = ticks.get(job.job) ?? { last: null, open: 0, owner: null }
    const version = versions.get(job.job) ?? null
    const nextMs = version === null || job.state !== 'active' ? null : version.schedule.next(nowMs)
    const behindMs = behind.get(job.job) ?? 0
    const why = whyBehind({ open, running: standings.get(job.job)?.running ?? false }, behindMs)
    return { job, last, nextMs, open, owner, behindMs, why }
  })
}

export interface JobDetails extends JobOverview {
  readonly next: readonly ShownInstant[]
  readonly clockChanges: readonly ClockChange[]
  readonly versions: readonly JobVersion[]
  readonly ticks: readonly TickView[]
}

const MOST_TICKS = 20

/** @throws NotFound */
export async function detailsOfJob(db: Queryable, name: string, limit: number): Promise<JobDetails> {
  const [overview] = await overviewOfJobs(db, [name])
  if (overview === undefined) throw noJob(name)
  const nowMs = await databaseNow(db)
  const version = readyVersion(overview.job)
  const due = version === null || overview.job.state !== 'active' ? [] : nextInstants(version.schedule, nowMs, limit)
  return {
    ...overview,
    next: version === null ? [] : due.map((ms) => showInstant(version.schedule, ms)),
    clockChanges: version === null ? [] : clockChanges(version.schedule, due[0] ?? nowMs, due.at(-1) ?? nowMs),
    versions: (await listVersions(db, [{ job: name, sinceMs: 0 }])).get(name) ?? [],
    ticks: await listTicks(db, name, MOST_TICKS),
  }
}

/** Pauses a job, or lets it go on. False when it was so already. @throws NotFound */
export async function setPaused(pool: Pool, name: string, paused: boolean, actor: string): Promise<boolean> {
  await requireJob(pool, name)
  const change = paused
    ? { state: 'paused' as const, cause: 'paused' as const }
    : { state: 'active' as const, cause: 'resumed' as const }
  return changeJobState(pool, name, { ...change, actor })
}

/** Has a job run now, whatever its schedule says, paused or not. Returns the tick's origin. @throws NotFound */
export async function triggerJob(pool: Pool, name: string): Promise<{ origin: string; scheduledForMs: number }> {
  await requireJob(pool, name)
  const tick = { job: name, scheduledForMs: Math.floor(await databaseNow(pool)), origin: `manual:${randomUUID()}` }
  await openTicks(pool, [tick])
  return tick
}

const PAGE = 1_000
/** More than anybody means: an interval of a second for a day. */
export const MOST_BACKFILL = 100_000

/**
 * Has a job run once for each instant between two times (the first inclusive, the second exclusive) by the schedule in
 * force, whether it ran then or not; oldest first. Returns their origin and number.
 * @throws NotFound
 */
export async function backfillJob(
  pool: Pool,
  name: string,
  fromMs: number,
  toMs: number,
): Promise<{ origin: string; ticks: number; more: boolean }> {
  const version = readyVersion(await requireJob(pool, name))
  const origin = `backfill:${randomUUID()}`
  const nowMs = await databaseNow(pool)
  let ticks = 0
  let page: { job: string; scheduledForMs: number; origin: string }[] = []
  const flush = async () => {
    if (page.length > 0) ticks += await openTicks(pool, page)
    page = []
  }
  let more = false
  for (const scheduledForMs of version?.schedule.between(fromMs - 1, Math.min(toMs - 1, nowMs)) ?? []) {
    if (ticks + page.length >= MOST_BACKFILL) {
      more = true
      break
    }
    page.push({ job: name, scheduledForMs, origin })
    if (page.length === PAGE) await flush()
  }
  await flush()
  return { origin, ticks, more }
}

async function requireJob(db: Queryable, name: string): Promise<JobRow> {
  const [job] = await listJobs(db, [name])
  if (job === undefined || job.state === 'removed') throw noJob(name)
  return job
}

function noJob(name: string): NotFound {
  return new NotFound(`There is no schedule '${name}': \`millrace schedules ls\` lists them.`)
}

async function databaseNow(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ now: Date }>('select clock_timestamp() as now')
  return rows[0]?.now.getTime() ?? 0
}
