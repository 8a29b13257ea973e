/**
 * One process that runs jobs, for the scenario `ticks`: prints a line of JSON, `Begun`, for each run that begins.
 * Arguments: a Redis URL, a Postgres URL and the jobs, `BenchJob[]` as JSON.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createKeys } from '#src/bus/keys.ts'
import { createLog } from '#src/log.ts'
import type { Job } from '#src/ticks/index.ts'
import { runScheduler } from '#test/ticks/scheduler.ts'

/** A job that does nothing, or for so long. */
export interface BenchJob {
  readonly name: string
  /** It is due at `anchorMs`, milliseconds since 1970, and every `everyMs` from then on. */
  readonly everyMs: number
  readonly anchorMs: number
  /** How long a run takes. */
  readonly runMs: number
}

/** What a replica prints when a run begins. */
export interface Begun {
  readonly job: string
  readonly pid: number
  readonly scheduledForMs: number
  readonly atMs: number
}

const [redisUrl, databaseUrl, list] = process.argv.slice(2) as [string, string, string]

function jobFor({ name, everyMs, anchorMs, runMs }: BenchJob): Job {
  return {
    name,
    schedule: { everyMs, anchor: new Date(anchorMs).toISOString() },
    policy: { overlap: 'allow', catchUp: 'all', timeoutMs: 120_000 },
    async run({ scheduledForMs, signal }) {
      const begun: Begun = { job: name, pid: process.pid, scheduledForMs, atMs: Date.now() }
      process.stdout.write(`${JSON.stringify(begun)}\n`)
      if (runMs > 0) await sleep(runMs, undefined, { signal })
      return {}
    },
  }
}

await runScheduler(
  { redisUrl, databaseUrl, keys: createKeys('bench'), release: 'bench', log: createLog('error') },
  (JSON.parse(list) as BenchJob[]).map(jobFor),
)
