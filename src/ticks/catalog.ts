/** This process's copy of the jobs in the database: what is emitted, decided and audited goes by it, not by our own code. */
import { compileSchedule, type JobPolicy, readPolicy, type Schedule } from '#src/scheduler/index.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import { catalogMark, type JobVersion, listJobs, listVersions } from '#src/store/job/catalog.ts'

/** A version of a job, ready to be computed. */
export interface KnownVersion extends JobVersion {
  readonly schedule: Schedule
  readonly policy: JobPolicy
}

type Compiled = Pick<KnownVersion, 'schedule' | 'policy'>

export interface KnownJob extends KnownVersion {
  readonly watermarkMs: number
}

export interface Catalog {
  /** As last looked at. */
  readonly jobs: ReadonlyMap<string, KnownJob>
  /**
   * Looks again, if any job has another version than in our copy, or in any case. True when it looked.
   * @throws when Postgres does not answer
   */
  refresh(always?: boolean): Promise<boolean>
  /** The same for who has heard the catalog's mark just now. */
  refreshTo(mark: string): Promise<boolean>
  /** Prepares a version for computing; null when this release can not read its spec. */
  ready(version: JobVersion): KnownVersion | null
  /** The version of a job that an instant belongs to; null when it was before the job. */
  versionAt(job: string, ms: number): Promise<KnownVersion | null>
}

export function createCatalog(db: Queryable): Catalog {
  let jobs: ReadonlyMap<string, KnownJob> = new Map()
  let mark = ''
  /** By the hash of what they were made of. */
  const compiled = new Map<string, Compiled>()

  function ready<Version extends JobVersion>(version: Version): (Version & KnownVersion) | null {
    const known = readyVersion(version, compiled.get(version.hash))
    if (known !== null) compiled.set(version.hash, known)
    return known
  }

  async function lookAgain(found: string, always: boolean): Promise<boolean> {
    if (found === mark && !always) return false
    const rows = await listJobs(db)
    const known = rows.flatMap((row) => ready(row) ?? [])
    jobs = new Map(known.map((job) => [job.job, job]))
    mark = found
    const hashes = new Set(known.map(({ hash }) => hash))
    for (const hash of compiled.keys()) if (!hashes.has(hash)) compiled.delete(hash)
    return true
  }

  return {
    get jobs() {
      return jobs
    },
    ready,
    refresh: async (always = false) => lookAgain(await catalogMark(db), always),
    refreshTo: (found) => lookAgain(found, false),
    async versionAt(job, ms) {
      const current = jobs.get(job)
      if (current !== undefined && ms > current.validFromMs) return current
      const versions = (await listVersions(db, [{ job, sinceMs: ms - 1 }])).get(job) ?? []
      const version = versions.findLast(({ validFromMs }) => validFromMs < ms)
      return version === undefined ? null : ready(version)
    },
  }
}

/**
 * Prepares a version for computing. Null when its spec is unreadable here, as one of a newer release may be; such a job is
 * left to who can read it.
 */
export function readyVersion<Version extends JobVersion>(
  version: Version,
  compiled?: Compiled,
): (Version & KnownVersion) | null {
  try {
    const { schedule, policy } = compiled ?? {
      schedule: compileSchedule(version.spec),
      policy: readPolicy(version.policy),
    }
    return { ...version, schedule, policy }
  } catch {
    return null
  }
}
