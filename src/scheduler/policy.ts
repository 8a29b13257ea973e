/** What a job wants done with its ticks, besides when they are due. */
import { createHash } from 'node:crypto'
import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { tickId } from './schedule.ts'

const Ms = Type.Integer({ minimum: 0, maximum: 366 * 86_400_000 })

/**
 * catchUp        after a standstill: run none (`skip`), the newest (`latest`), or all, oldest first
 * windowMs       how far back catching up goes; older ticks are recorded as skipped. Null: as far as the schedule
 * maxCatchUp     how many ticks `all` runs; the oldest beyond it are recorded as skipped
 * overlap        when the one before still runs: leave this one out, hold one back, run both, or end the one before
 * jitterMs       delays each run by 0 up to this, always the same for one tick; never changes its name
 * timeoutMs      a run that takes longer is ended and counts as failed
 * attempts       how often one tick is tried before it counts as failed; not counted are those that Postgres' absence ended
 * retryMs        the pause before the second attempt; doubled for each further one, up to an hour
 */
export const JobPolicy = Type.Object(
  {
    catchUp: Type.Union([Type.Literal('skip'), Type.Literal('latest'), Type.Literal('all')], { default: 'latest' }),
    windowMs: Type.Union([Ms, Type.Null()], { default: null }),
    maxCatchUp: Type.Integer({ minimum: 1, maximum: 100_000, default: 1_000 }),
    overlap: Type.Union(
      [Type.Literal('skip'), Type.Literal('queue-one'), Type.Literal('allow'), Type.Literal('cancel-previous')],
      { default: 'skip' },
    ),
    jitterMs: Type.Integer({ minimum: 0, maximum: 86_400_000, default: 0 }),
    timeoutMs: Type.Integer({ minimum: 1, maximum: 7 * 86_400_000, default: 300_000 }),
    attempts: Type.Integer({ minimum: 1, maximum: 100, default: 3 }),
    retryMs: Type.Integer({ minimum: 0, maximum: 3_600_000, default: 1_000 }),
  },
  { additionalProperties: false },
)

export type JobPolicy = Static<typeof JobPolicy>

/** Completes a policy with the defaults; fields that a newer release may know are left out. @throws Error on a wrong value */
export function readPolicy(value: unknown): JobPolicy {
  const policy = Value.Clean(JobPolicy, Value.Default(JobPolicy, Value.Clone(value)))
  Value.Assert(JobPolicy, policy)
  return policy
}

const LONGEST_RETRY_MS = 3_600_000

/** How long this tick's run is held back: 0 up to `jitterMs`, the same in every process. */
export function jitterOf(job: string, scheduledForMs: number, jitterMs: number): number {
  if (jitterMs === 0) return 0
  const digest = createHash('sha256').update(tickId(job, scheduledForMs)).digest()
  return Math.floor((digest.readUInt32BE(0) / 2 ** 32) * (jitterMs + 1))
}

/** The pause before attempt number `attempt`, counted from 1: none before the first. */
export function retryDelayMs({ retryMs }: JobPolicy, attempt: number): number {
  return attempt <= 1 ? 0 : Math.min(LONGEST_RETRY_MS, retryMs * 2 ** (attempt - 2))
}

/** What is to happen with a tick that waits to be decided: `run`, or why it is skipped. */
export type CatchUp = 'run' | 'missed' | 'too old' | 'coalesced'

export interface Waiting {
  /** How long ago it came due. */
  readonly ageMs: number
  /** Whether it is one of those that catching up runs: the newest that is due, with `all` one of the `maxCatchUp` newest. */
  isAmongNewest(): boolean
  /** A tick no older than this was not missed, so `skip` runs it and no window leaves it out. */
  readonly graceMs: number
}

/** Decides on one tick. Of the ticks of a standstill each gets its answer by itself, from the clock and the schedule alone. */
export function catchUp(policy: JobPolicy, { ageMs, isAmongNewest, graceMs }: Waiting): CatchUp {
  if (ageMs <= graceMs && (policy.catchUp !== 'latest' || isAmongNewest())) return 'run'
  if (policy.catchUp === 'skip') return 'missed'
  if (policy.windowMs !== null && ageMs > policy.windowMs) return 'too old'
  return isAmongNewest() ? 'run' : 'coalesced'
}
