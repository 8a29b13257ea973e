/** One process that runs the jobs of the fault tests. */
import './shifted-clock.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { createKeys } from '#src/bus/keys.ts'
import { createLog } from '#src/log.ts'
import type { Job, Tick } from '#src/ticks/index.ts'
import { runScheduler } from '#test/ticks/scheduler.ts'
import { type Build, TEST_JOBS, type TestJob } from './jobs.ts'

const [redisUrl, databaseUrl, build] = ['REDIS_URL', 'DATABASE_URL', 'BUILD'].map(
  (name) => process.env[`MILLRACE_TEST_${name}`] ?? '',
) as [string, string, Build]

const BLOCK_MS = 3_000

await runScheduler(
  { redisUrl, databaseUrl, keys: createKeys('ticks'), release: build, log: createLog('warn') },
  TEST_JOBS.flatMap((job) => jobFor(job) ?? []),
)

function jobFor(job: TestJob): Job | null {
  const schedule = job.schedule(build)
  if (schedule === null) return null
  return { name: job.name, schedule, ...(job.policy && { policy: job.policy }), run: (tick) => run(job, tick) }
}

async function run(job: TestJob, tick: Tick) {
  const beganMs = performance.timeOrigin + performance.now() // by a clock that nobody sets
  if (job.runMs) await sleep(job.runMs, undefined, { signal: tick.signal })
  if (job.fails?.(tick.scheduledForMs, tick.attempt)) throw new Error('as it was asked to')
  const write = async (client: pg.PoolClient) => {
    await client.query('insert into effect (job, scheduled_for, attempt, pid, began) values ($1, $2, $3, $4, $5)', [
      job.name,
      new Date(tick.scheduledForMs).toISOString(),
      tick.attempt,
      process.pid,
      new Date(beganMs).toISOString(),
    ])
    if (job.transactionMs) await sleep(job.transactionMs)
    return { effects: 1 }
  }
  return job.writes === 'committed' ? tick.commit(write) : tick.transaction(write)
}

/** Blocks the event loop for longer than a lease. */
process.on('SIGUSR2', () => {
  const end = performance.now() + BLOCK_MS
  while (performance.now() < end);
})
process.stdout.write('runs\n')
