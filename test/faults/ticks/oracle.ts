/** Compares what was due, by brute force, with the ledger and with what the runs wrote: by plain SQL, no code of `src`. */
import assert from 'node:assert/strict'
import { waitUntil } from '#test/wait-until.ts'
import { bruteForce } from './due.ts'
import { PAUSED, runsAll, TEST_JOBS, type TestJob } from './jobs.ts'
import type { Struck } from './strikes.ts'
import type { TickCluster } from './tick-cluster.ts'

export interface TickFindings {
  readonly jobs: number
  readonly due: number
  readonly done: number
  readonly skipped: number
  readonly failed: number
  readonly effects: number
  /** Longest time from a tick's instant to its outcome. */
  readonly longestMs: number
  /** For each kind of strike how often it came, and the longest such time of what was due while it lasted. */
  readonly strikes: Readonly<Record<string, { readonly times: number; readonly longestMs: number }>>
}

interface Version {
  readonly job: string
  readonly state: string
  readonly spec: Parameters<typeof bruteForce>[0]
  readonly from_ms: number
}

interface Row {
  readonly job: string
  readonly at_ms: number
  readonly state: string
  readonly reason: string | null
  readonly attempts: number
  readonly late_ms: number
  readonly early_ms: number
  readonly effects: number
  readonly written_by: number
  readonly written_after: boolean
}

/** A tick may be taken so much before its instant: as much as the clock of Redis may be ahead of Postgres'. */
const TOLERANCE_MS = 100
const WITHIN_MS = 60_000

/**
 * Waits until everything due by now is decided, then looks at all of it.
 * @throws AssertionError that says what is wrong
 */
export async function assertDecided({ query }: TickCluster, struck: readonly Struck[]): Promise<TickFindings> {
  const [now] = await query<{ ms: number }>(`select ${ms('clock_timestamp()')} as ms`)
  const untilMs = Math.floor(now?.ms ?? 0)
  const behind = () =>
    query<{ name: string }>('select name from job where watermark < to_timestamp($1::float8 / 1000)', [untilMs])
  await waitUntil(async () => (await behind()).length === 0, { timeoutMs: WITHIN_MS, everyMs: 250 }).catch(() => {})
  const late = (await behind()).map(({ name }) => `${name} has ticks that are still not decided`)

  const versions = await query<Version>(
    `select job, state, spec, ${ms('valid_from')} as from_ms from job_version order by job, version`,
  )
  const rows = await query<Row>(
    `select t.job, ${ms('t.scheduled_for')} as at_ms, t.state, t.reason, t.attempts, ${ms('t.decided_at')} - ${ms('t.scheduled_for')} as late_ms,
       ${ms('t.scheduled_for')} - coalesce(${ms('t.started_at')}, ${ms('t.decided_at')}) as early_ms,
       coalesce(e.count, 0)::int as effects, coalesce(e.attempts, 0)::int as written_by,
       coalesce(e.last > t.decided_at, false) as written_after
     from tick t left join (
       select job, scheduled_for, count(*), count(distinct attempt) as attempts, max(at) as last from effect group by 1, 2
     ) e using (job, scheduled_for)
     where t.origin = 'schedule' and t.scheduled_for <= to_timestamp($1::float8 / 1000)`,
    [untilMs],
  )
  const [stray] = await query<{ count: number }>(
    'select count(*)::int as count from effect e where not exists (select from tick t where t.job = e.job and t.scheduled_for = e.scheduled_for)',
  )
  const problems = [
    ...late,
    ...(await sideBySide(query)),
    ...TEST_JOBS.flatMap(({ name }) => compare(name, versions, rows, untilMs)),
    ...rows.flatMap(judge),
  ]
  assert.deepEqual(problems.slice(0, 8), [], `${problems.length} ticks are wrong`)
  assert.equal(stray?.count, 0, 'effects without a tick')
  const count = (state: string) => rows.filter((row) => row.state === state).length
  return {
    jobs: new Set(rows.map(({ job }) => job)).size,
    due: rows.length,
    done: count('done'),
    skipped: count('skipped'),
    failed: count('failed'),
    effects: rows.reduce((sum, { effects }) => sum + effects, 0),
    longestMs: longestOf(rows),
    strikes: Object.fromEntries(
      [...Map.groupBy(struck, ({ name }) => name)].map(([name, each]) => {
        const during = rows.filter(({ at_ms: at }) => each.some(({ fromMs, untilMs }) => fromMs <= at && at <= untilMs))
        return [name, { times: each.length, longestMs: longestOf(during) }]
      }),
    ),
  }
}

function longestOf(rows: readonly Row[]): number {
  return Math.round(rows.reduce((longest, { late_ms: late }) => Math.max(longest, late), 0))
}

/** What a process believes of Postgres' clock is so much behind it at most. */
const CLOCK_MS = 100

/** Runs of one job that both took effect, one of which began before the other's end, though they may not run side by side. */
async function sideBySide(query: TickCluster['query']): Promise<string[]> {
  const alone = TEST_JOBS.filter(({ policy, writes }) => policy?.overlap !== 'allow' && writes === 'committed')
  const pairs = await query<{ job: string; first: Date; second: Date }>(
    `select a.job, a.scheduled_for as first, b.scheduled_for as second from effect a join effect b using (job)
     where a.job = any($1) and a.at < b.at and b.began < a.at - $2 * interval '1 millisecond'`,
    [alone.map(({ name }) => name), CLOCK_MS],
  )
  return pairs.map(
    ({ job, first, second }) => `${job}: ${first.toISOString()} and ${second.toISOString()} ran side by side`,
  )
}

/** Ticks of one job that were due and have no row, or have a row and were not due, or have two. */
function compare(job: string, all: readonly Version[], rows: readonly Row[], untilMs: number): string[] {
  const versions = all.filter((version) => version.job === job)
  const due = versions.flatMap(({ spec, state, from_ms: fromMs }, i) =>
    state === 'removed' ? [] : bruteForce(spec, fromMs, Math.min(untilMs, versions[i + 1]?.from_ms ?? untilMs)),
  )
  const found = new Map<number, number>()
  for (const row of rows) if (row.job === job) found.set(row.at_ms, (found.get(row.at_ms) ?? 0) + 1)
  const wanted = new Set(due)
  const name = (at: number) => `${job}@${new Date(at).toISOString()}`
  return [
    ...due.filter((at) => !found.has(at)).map((at) => `${name(at)} was due and has no row`),
    ...[...found.keys()].filter((at) => !wanted.has(at)).map((at) => `${name(at)} has a row and was not due`),
    ...[...found].filter(([, count]) => count > 1).map(([at, count]) => `${name(at)} has ${count} rows`),
  ]
}

function judge(row: Row): string[] {
  const { job, at_ms: at, state, effects, attempts, written_by: writers, early_ms: early } = row
  const name = `${job}@${new Date(at).toISOString()}`
  const testJob = TEST_JOBS.find((each) => each.name === job)
  const committed = testJob?.writes === 'committed'
  const problems: string[] = []
  const expected = testJob === undefined ? null : expectedState(testJob, at)
  if (expected !== null && state !== expected && !isExcused(row))
    problems.push(`${name} is ${state} (${row.reason}), not ${expected}`)
  if (!['done', 'skipped', 'failed'].includes(state)) problems.push(`${name} is ${state}`)
  if (committed && effects !== (state === 'done' ? 1 : 0)) problems.push(`${name} is ${state}, with ${effects} effects`)
  if (!committed && state === 'done' && effects === 0) problems.push(`${name} is done, without an effect`)
  if (!committed && writers > Math.max(1, attempts)) problems.push(`${name} was written by more than its attempts`)
  if (row.written_after) problems.push(`${name} was written when it was ${state}`)
  if (early > TOLERANCE_MS) problems.push(`${name} was begun ${Math.round(early)} ms too early`)
  return problems
}

/** Null where it depends on what else was due, and when. */
function expectedState(job: TestJob, at: number): 'done' | 'failed' | null {
  if (!runsAll(job)) return null
  return job.isPoison && job.fails?.(at, 1) ? 'failed' : 'done'
}

/** A tick has only so many attempts, and strikes take them; a paused job's ticks are skipped. */
function isExcused({ job, state, reason }: Row): boolean {
  if (state === 'failed') return /^its process died in each of/.test(reason ?? '')
  return state === 'skipped' && job === PAUSED.name && reason === 'paused'
}

function ms(timestamp: string): string {
  return `(extract(epoch from ${timestamp}) * 1000)::float8`
}
