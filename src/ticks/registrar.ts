/** Brings this process's definitions to the database, and says that it lives and what it runs. */
import { hostname } from 'node:os'
import type { Pool } from 'pg'
import type { Log } from '#src/log.ts'
import { tzVersion } from '#src/scheduler/index.ts'
import { defineJob, defineNewJobs } from '#src/store/job/define.ts'
import { reportProcess, type ServiceProcess } from '#src/store/job/process.ts'
import type { Catalog } from './catalog.ts'
import type { DatabaseClock } from './database-clock.ts'
import { type CheckedJob, latestInstant } from './job.ts'
import { type Loop, startLoop } from './loop.ts'

export interface RegistrarOptions {
  readonly owner: string
  readonly release: string
  readonly jobs: ReadonlyMap<string, CheckedJob>
  readonly catalog: Catalog
  readonly clock: DatabaseClock
  readonly pool: Pool
  readonly log: Log
  /** The catalog has changed. */
  onChange(): void
  /** How far Postgres' clock is ahead of this process's. */
  onSkew(aheadMs: number): void
}

const EVERY_MS = 2_000
/**
 * A process that was not seen for so long does not keep an older build's definitions back any more. One that stops in
 * order counts for as long: most are started again.
 */
const SILENT_MS = 30_000
const AGAIN_MS = 10_000
/** Of one statement. */
const MOST_NEW = 500

export function startRegistrar(options: RegistrarOptions): Loop {
  const { owner, release, jobs, catalog, clock, pool, log, onChange, onSkew } = options
  const hashes = Object.fromEntries([...jobs.values()].map(({ name, hash }) => [name, hash]))
  const self: ServiceProcess = { id: owner, host: hostname(), pid: process.pid, release, jobs: hashes }
  const triedAt = new Map<string, number>()
  /** Returns the names of those that were not there. */
  async function defineAll(absent: readonly CheckedJob[], nowMs: number): Promise<string[]> {
    const made: string[] = []
    for (let from = 0; from < absent.length; from += MOST_NEW) {
      const definitions = absent.slice(from, from + MOST_NEW).map((job) => definitionOf(job, nowMs))
      made.push(...(await defineNewJobs(pool, definitions, { process: owner })))
    }
    return made
  }
  return startLoop('tick-registrar', log, async () => {
    const { nowMs, mark } = await reportProcess(pool, self)
    clock.hear(nowMs)
    onSkew(nowMs - Date.now())
    const refreshed = await catalog.refreshTo(mark)
    const causes = new Map<string, string[]>()
    const absent = [...jobs.values()].filter(({ name }) => !catalog.jobs.has(name))
    if (absent.length > 0) {
      causes.set('defined', await defineAll(absent, nowMs))
      await catalog.refresh()
    }
    for (const job of jobs.values()) {
      const known = catalog.jobs.get(job.name)
      if (known?.hash === job.hash && known.state !== 'removed') continue
      if (performance.now() - (triedAt.get(job.name) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS) continue // an older build, side by side with a newer
      triedAt.set(job.name, performance.now())
      const cause = await defineJob(pool, definitionOf(job, nowMs), { process: owner, silentMs: SILENT_MS })
      if (cause !== null) causes.set(cause, [...(causes.get(cause) ?? []), job.name])
    }
    for (const [cause, names] of causes) if (names.length > 0) log.info({ jobs: names }, `schedules were ${cause}`)
    if (refreshed || causes.size > 0) {
      await catalog.refresh()
      onChange()
    }
    return EVERY_MS
  })
}

/** @param nowMs by Postgres' clock */
function definitionOf({ name, schedule, policy, hash, compiled, startsAtOnce }: CheckedJob, nowMs: number) {
  const latest = startsAtOnce ? latestInstant(compiled, nowMs) : null
  return { job: name, spec: schedule, policy, hash, tzVersion, firstAfterMs: latest === null ? null : latest - 1 }
}
