/** Several schedulers on one Redis and one Postgres, as several processes have them, with jobs of the test's own. */
import pg from 'pg'
import { createKeys, type Keys } from '#src/bus/keys.ts'
import { createLog } from '#src/log.ts'
import { migrate } from '#src/store/migrate.ts'
import type { Job } from '#src/ticks/index.ts'
import { waitUntil } from '#test/wait-until.ts'
import { type TestScope, world } from '#test/world.ts'
import { type Scheduler, startScheduler } from './scheduler.ts'

export interface Replica extends Scheduler {
  /** What it said of level `warn` and above. */
  readonly said: string[]
}

export interface TickRow {
  readonly job: string
  readonly at: number
  readonly origin: string
  readonly state: string
  readonly reason: string | null
  readonly attempts: number
  readonly result: Record<string, number> | null
}

export interface TickWorld extends TickPlace {
  /** See `World`. */
  defer(end: () => unknown): void
  start(jobs: readonly Job[], options?: Partial<TickPlace>): Promise<Replica>
  /** The ledger's rows of a job, oldest first. */
  rows(job: string): Promise<TickRow[]>
  /** Its rows up to now, when all of them are decided: somebody has to run. */
  settled(job: string): Promise<TickRow[]>
}

/** What schedulers run on. */
export interface TickPlace {
  readonly redisUrl: string
  readonly databaseUrl: string
  readonly keys: Keys
  /** For the runs. */
  readonly pool: pg.Pool
}

/** Starts one scheduler. Without Redis it starts all the same. */
export async function startReplica({ pool, ...place }: TickPlace, jobs: readonly Job[]): Promise<Replica> {
  const said: string[] = []
  const log = createLog('warn', { write: (line) => said.push(line) })
  return { ...(await startScheduler({ ...place, runPool: pool, release: 'test', log }, jobs)), said }
}

/** Torn down with `t`. */
export async function tickWorld(t: TestScope): Promise<TickWorld> {
  const { redisUrl, databaseUrl, prefix, defer } = await world(t)
  await migrate(databaseUrl, { timeoutMs: 0 })
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 5 })
  pool.on('error', () => {})
  defer(() => pool.end())
  const place = { redisUrl, databaseUrl, keys: createKeys(prefix), pool }
  const rowsOf = async (job: string) => {
    const { rows } = await pool.query<Omit<TickRow, 'at'> & { at: Date }>(
      `select job, scheduled_for as at, origin, state, reason, attempts, result from tick
       where job = $1 order by scheduled_for, origin`,
      [job],
    )
    return rows.map((row) => ({ ...row, at: row.at.getTime() }))
  }
  return {
    ...place,
    defer,
    async start(jobs, options = {}) {
      const replica = await startReplica({ ...place, ...options }, jobs)
      defer(() => replica.stop())
      return replica
    },
    rows: rowsOf,
    async settled(job) {
      const untilMs = Date.now()
      const mark = await waitUntil(
        async () => {
          const { rows } = await pool.query<{ mark: Date }>('select watermark as mark from job where name = $1', [job])
          return (rows[0]?.mark.getTime() ?? 0) >= untilMs && rows[0]?.mark.getTime()
        },
        { timeoutMs: 30_000, what: `each tick of ${job} to be decided` },
      )
      return (await rowsOf(job)).filter(({ at }) => at <= mark)
    },
  }
}

/** A job whose runs are kept in a table without any constraint, written in the transaction that decides the tick. */
export async function recordingJob(
  { pool }: TickWorld,
  job: Omit<Job, 'run'>,
): Promise<{ readonly job: Job; effects(): Promise<number[]> }> {
  await pool.query('create table if not exists effect (job text, scheduled_for timestamptz)')
  return {
    job: {
      ...job,
      run: (tick) =>
        tick.commit(async (client) => {
          await client.query('insert into effect values ($1, $2)', [
            job.name,
            new Date(tick.scheduledForMs).toISOString(),
          ])
          return { effects: 1 }
        }),
    },
    async effects() {
      const { rows } = await pool.query<{ at: Date }>(
        'select scheduled_for as at from effect where job = $1 order by 1',
        [job.name],
      )
      return rows.map(({ at }) => at.getTime())
    },
  }
}

/** The instants of a grid between two instants, both inclusive, counted one by one. */
export function grid(everyMs: number, firstMs: number, lastMs: number): number[] {
  return Array.from({ length: Math.floor((lastMs - firstMs) / everyMs) + 1 }, (_, n) => firstMs + n * everyMs)
}
