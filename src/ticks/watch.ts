/** Looks how far the jobs are. Health is the age of what is undecided, not that some process lives. */
import type { Pool } from 'pg'
import type { Log } from '#src/log.ts'
import type { Metrics } from '#src/metrics.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import { listVersions } from '#src/store/job/catalog.ts'
import { type JobStanding, listStandings } from '#src/store/tick/standing.ts'
import { type Catalog, type KnownJob, readyVersion } from './catalog.ts'
import { dueTicks } from './due.ts'
import { type Loop, startLoop } from './loop.ts'
import { dueTime } from './newest.ts'

/** A job that is behind, and why; the words hold no addresses. */
export interface BehindJob {
  readonly job: string
  readonly behindMs: number
  readonly why: string
}

export interface Watch {
  readonly loop: Loop
  /** As last looked at. */
  behind(): readonly BehindJob[]
}

const EVERY_MS = 5_000
/** A tick that nobody runs this long after it was due is behind, whatever the reason. */
export const BEHIND_AFTER_MS = 30_000

/** @param own jobs that this process runs; of others it only sets the gauges, since it is no remedy for them */
export function startWatch(
  catalog: Catalog,
  own: ReadonlyMap<string, unknown>,
  pool: Pool,
  metrics: Metrics,
  log: Log,
): Watch {
  let behind: readonly BehindJob[] = []
  const loop = startLoop('tick-watch', log, async () => {
    const { nowMs, jobs } = await listStandings(pool)
    metrics.watermarkAge.reset()
    metrics.ticksOpen.reset()
    const found: BehindJob[] = []
    const asTheyStand = jobs.flatMap(({ job, watermarkMs }) => {
      const known = catalog.jobs.get(job)
      return known === undefined ? [] : [{ ...known, watermarkMs }]
    })
    const behindMsOf = await behindOf(pool, asTheyStand, nowMs)
    for (const standing of jobs) {
      const behindMs = behindMsOf.get(standing.job)
      if (behindMs === undefined) continue
      metrics.watermarkAge.set({ job: standing.job }, behindMs / 1_000)
      metrics.ticksOpen.set({ job: standing.job }, standing.open)
      const why = whyBehind(standing, behindMs)
      if (why !== null && own.has(standing.job)) found.push({ job: standing.job, behindMs, why })
    }
    const news = found.filter(({ job }) => !behind.some((before) => before.job === job))
    for (const { job, behindMs, why } of news)
      log.warn({ job, behindMs: Math.round(behindMs), why }, 'a schedule is behind')
    behind = found
    return EVERY_MS
  })
  return { loop, behind: () => behind }
}

/** How long ago the oldest tick of each job came due that is not decided; 0 when all are. */
export async function behindOf(db: Queryable, jobs: readonly KnownJob[], nowMs: number): Promise<Map<string, number>> {
  // What was due by the schedule before a change may be undecided.
  const changed = jobs.filter(({ watermarkMs, validFromMs }) => watermarkMs < validFromMs)
  const since = changed.map(({ job, watermarkMs }) => ({ job, sinceMs: watermarkMs }))
  const histories = since.length === 0 ? null : await listVersions(db, since)
  return new Map(
    jobs.map((job) => {
      const history = histories?.get(job.job)?.flatMap((version) => readyVersion(version) ?? []) ?? [job]
      const [oldest] = dueTicks(history, job.watermarkMs, nowMs)
      return [job.job, oldest === undefined ? 0 : nowMs - dueTime(oldest.version, oldest.scheduledForMs)]
    }),
  )
}

/** Null when it is not behind: that the oldest tick is run, and takes long and says so, is no reason. */
export function whyBehind({ open, running }: Pick<JobStanding, 'open' | 'running'>, behindMs: number): string | null {
  if (behindMs <= BEHIND_AFTER_MS || running) return null
  if (open > 0) return `${open} of its ticks wait and no process takes them`
  return 'its ticks are not written down: no process audits'
}
