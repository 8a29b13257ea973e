/** What a job is to who writes one, and what it is to the processes that agree on it. */
import { createHash } from 'node:crypto'
import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { PoolClient } from 'pg'
import { compileSchedule, type JobPolicy, readPolicy, type Schedule, type ScheduleSpec } from '#src/scheduler/index.ts'

/** What a run did, in numbers; the ledger keeps them and the log shows those that are not zero. */
export type Counts = Readonly<Record<string, number>>

const COUNTS = Type.Record(Type.String(), Type.Number())

/** What came back from a run, which may be the code of the program around. @throws Error when it is anything but numbers by name */
export function checkCounts(value: unknown): Counts {
  if (Value.Check(COUNTS, value)) return value
  const wrong = typeof value === 'object' && value !== null ? Object.entries(value) : []
  const [name] = wrong.find(([, each]) => !Number.isFinite(each)) ?? []
  const what = name === undefined ? 'something else' : `'${name}', which is no finite number`
  throw new Error(`A run gives back what it did as numbers by name, such as { sent: 3 }; this one gave ${what}.`)
}

/** One tick in the hands of the run that was begun for it. */
export interface Tick {
  /** `job@2026-11-24T00:05:00.000Z`: the same in every attempt, a key for whatever must not be done twice. */
  readonly id: string
  readonly scheduledForMs: number
  /** Counted from 1. */
  readonly attempt: number
  /** The time by Postgres' clock, as far as this process can tell: what it said when the tick was taken, and what passed since. */
  readonly nowMs: () => number
  /** Aborted when the run takes too long, when another process has taken the tick over, and when this one stops. */
  readonly signal: AbortSignal
  /**
   * Runs statements in a transaction that holds the tick: another process can't have taken it before, nor take it meanwhile.
   * @throws LeaseLost when one has: nothing is done then
   */
  transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T>
  /**
   * Runs statements in the transaction that records the tick as done, so that they take effect exactly once. To be called
   * once, as the last thing of a run.
   * @throws LeaseLost like `transaction`
   */
  commit(work: (client: PoolClient) => Promise<Counts>): Promise<Counts>
}

export interface Job {
  /** Its lasting name. */
  readonly name: string
  readonly schedule: ScheduleSpec
  readonly policy?: Partial<JobPolicy>
  /** When the job is new, its latest instant is due at once, rather than the next one being the first. */
  readonly startsAtOnce?: boolean
  /** One run: bounded work, harmless when done twice but for what it does in `tick.commit`. */
  run(tick: Tick): Promise<Counts>
}

/** A job that was checked. */
export interface CheckedJob extends Job {
  readonly schedule: ScheduleSpec
  readonly compiled: Schedule
  readonly policy: JobPolicy
  /** The same for two definitions exactly if they say the same. */
  readonly hash: string
}

const NAME = /^[a-z0-9][a-z0-9._-]{0,99}$/

/** @throws ScheduleInvalid | Error on a name or a policy that can't be */
export function checkJob(job: Job): CheckedJob {
  if (!NAME.test(job.name)) throw new Error(`'${job.name}' is no name for a job: lower case, digits, '.', '_' and '-'`)
  const policy = readPolicy({ ...job.policy })
  const compiled = compileSchedule(job.schedule)
  const text = JSON.stringify([compiled.spec, Object.entries(policy).sort()])
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16)
  return { ...job, run: (tick) => job.run(tick), policy, schedule: compiled.spec, compiled, hash }
}

/** The latest instant that is not after `nowMs`; null when there was none within the last ten years. */
export function latestInstant(schedule: Schedule, nowMs: number): number | null {
  for (let backMs = 1; backMs < 10 * 366 * 86_400_000; backMs *= 4) {
    let found = schedule.next(nowMs - backMs - 1)
    if (found === null || found > nowMs) continue
    for (let next = schedule.next(found); next !== null && next <= nowMs; next = schedule.next(found)) found = next
    return found
  }
  return null
}
