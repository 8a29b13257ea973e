/** The jobs of the fault tests: every kind of schedule and policy, fast enough that minutes hold thousands of ticks. */
import type { JobPolicy, ScheduleSpec } from '#src/scheduler/index.ts'

/** Two releases that run side by side. */
export type Build = 'old' | 'new'

export interface TestJob {
  readonly name: string
  /** Null: this build doesn't know the job. */
  schedule(build: Build): ScheduleSpec | null
  readonly policy?: Partial<JobPolicy>
  /**
   * How a run writes its effect: `committed` in the transaction that records the tick, so exactly once; `held` in one that
   * holds the tick, before its verdict, so at least once and at most once for each attempt.
   */
  readonly writes: 'committed' | 'held'
  /** How long a run takes before it writes, and how long its transaction is open. */
  readonly runMs?: number
  readonly transactionMs?: number
  /** Whether a run fails. */
  fails?(scheduledForMs: number, attempt: number): boolean
  /** A tick whose run fails has no attempt that doesn't. */
  readonly isPoison?: boolean
}

const every = (everyMs: number, anchor?: string) => () => ({ everyMs, ...(anchor !== undefined && { anchor }) })
const all = { catchUp: 'all', overlap: 'allow', maxCatchUp: 10_000 } as const

/** Of which the builds have different definitions. */
export const CHANGED: TestJob = {
  name: 'changed-800',
  schedule: (build) => (build === 'new' ? { everyMs: 650 } : { everyMs: 800 }),
  policy: all,
  writes: 'committed',
}

/** Paused and resumed while it is due. */
export const PAUSED: TestJob = { name: 'paused-400', schedule: every(400), policy: all, writes: 'committed' }

/** Which takes longer than a lease lasts. */
export const LONG: TestJob = { name: 'long-700', schedule: every(700), policy: all, writes: 'committed', runMs: 2_500 }

/** Whether each tick of it is to be run, however late. */
export function runsAll({ policy }: TestJob): boolean {
  return policy?.catchUp === 'all' && policy.overlap === 'allow'
}

export const TEST_JOBS: readonly TestJob[] = [
  { name: 'all-50', schedule: every(50), policy: all, writes: 'committed' },
  { name: 'latest-100', schedule: every(100), writes: 'committed' },
  { name: 'all-100', schedule: every(100), policy: all, writes: 'committed', transactionMs: 20 },
  { name: 'queue-one-200', schedule: every(200), policy: { overlap: 'queue-one' }, writes: 'committed', runMs: 60 },
  { name: 'left-out-250', schedule: every(250), policy: { catchUp: 'all' }, writes: 'committed', runMs: 150 },
  { name: 'anchored-300', schedule: every(300, '2026-01-01T00:00:00.111Z'), policy: all, writes: 'committed' },
  {
    name: 'cancels-400',
    schedule: every(400),
    policy: { overlap: 'cancel-previous' },
    writes: 'committed',
    runMs: 600,
  },
  { name: 'jitter-500', schedule: every(500), policy: { ...all, jitterMs: 300 }, writes: 'committed' },
  { name: 'held-500', schedule: every(500), policy: all, writes: 'held', runMs: 100 },
  LONG,
  { name: 'open-900', schedule: every(900), policy: all, writes: 'committed', transactionMs: 400 },
  {
    name: 'fails-at-first-1000',
    schedule: every(1_000),
    policy: { ...all, retryMs: 50 },
    writes: 'committed',
    fails: (at, attempt) => attempt === 1 && (at / 1_000) % 3 === 0,
  },
  {
    name: 'poison-1000',
    schedule: every(1_000),
    policy: { ...all, attempts: 2, retryMs: 20 },
    writes: 'committed',
    fails: (at) => (at / 1_000) % 5 === 0,
    isPoison: true,
  },
  { name: 'never-late-1500', schedule: every(1_500), policy: { catchUp: 'skip' }, writes: 'committed' },
  { name: 'window-2000', schedule: every(2_000), policy: { catchUp: 'all', windowMs: 3_000 }, writes: 'held' },
  { name: 'cron-1s', schedule: () => ({ cron: '* * * * * *' }), policy: all, writes: 'committed' },
  {
    name: 'cron-berlin',
    schedule: () => ({ cron: '*/2 * * * * *', timeZone: 'Europe/Berlin' }),
    policy: all,
    writes: 'committed',
  },
  {
    name: 'cron-lord-howe',
    schedule: () => ({ cron: '*/7 * * * * *', timeZone: 'Australia/Lord_Howe' }),
    policy: all,
    writes: 'committed',
  },
  {
    name: 'rule-3s',
    schedule: () => ({ rrule: 'DTSTART:20260101T000000Z\nRRULE:FREQ=SECONDLY;INTERVAL=3' }),
    policy: all,
    writes: 'committed',
  },
  {
    name: 'new-600',
    schedule: (build) => (build === 'new' ? { everyMs: 600 } : null),
    policy: all,
    writes: 'committed',
  },
  CHANGED,
  PAUSED,
]
