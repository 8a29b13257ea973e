/** Compares what was due, by brute force, with the ledger and with what the runs wrote: by plain SQL, no code of `src`. */
import assert from 'node:assert/strict'
import { waitUntil } from '#test/wait-until.ts'
import { bruteForce } from './due.ts'
import { PAUSED, runsAll, TEST_JOBS, type TestJob } from './jobs.ts'
import type { Struck } from './strikes.ts'
import type { TickCluster } from './tick-cluster.ts'

/** What came of one kind of strike; others may have struck at the same time. */
export interface StrikeFindings {
  readonly times: number
  /** Longest time from a tick's instant to its outcome, of what was due while it lasted. */
  readonly longestMs: number
  /** And how long after its end all of that was decided. */
  readonly recoveredMs: number
}

interface Stretch {
  readonly fromMs: number
  readonly untilMs: number
}

export interface TickFindings {
  readonly jobs: number
  readonly due: number
  readonly done: number
  readonly skipped: number
  readonly failed: number
  readonly effects: number
  /** Longest time from a tick's instant to its outcome. */
  readonly longestMs: number
  /** How late ticks were begun before the first strike: all but one in a hundred. */
  readonly calmP99Ms: number
  readonly strikes: Readonly<Record<string, StrikeFindings>>
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
  readonly decided_ms: number
  /** By the clock of Postgres, as it is set. */
  readonly begun_ms: number
  readonly effects: number
  readonly written_by: number
  readonly written_after: boolean
}

/** A tick may be taken so much before its instant: as much as the clock of Redis may be ahead of Postgres'. */
const TOLERANCE_MS = 100
const WITHIN_MS = 60_000
/** As `ticks/runner.ts` has it: the measure of how soon something that failed is noticed, on any machine. */
export const LEASE_MS = 1_500
/**
 * What was due during a strike is decided so long after its end at most. Three attempts whose processes die cost a lease and the
 * time until the next look each, the longest run takes another two, and others strike meanwhile: 12 in all. When Postgres' clock
 * is set back, a lease of before lasts as much longer: 6 more.
 */
const RECOVERS_WITHIN_LEASES = 18
/** In calm the auditor, which waits for as long, finds nothing to do. */
const CALM_WITHIN_LEASES = 2

/**
 * Waits until everything due by now is decided, then looks at all of it.
 * @throws AssertionError that says what is wrong
 */
export async function assertDecided(
  { query }: TickCluster,
  calm: Stretch,
  struck: readonly Struck[],
): Promise<TickFindings> {
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
    `select t.job, ${ms('t.scheduled_for')} as at_ms, t.state, t.reason, t.attempts, ${ms('t.written_at')} as decided_ms,
       coalesce(${ms('t.started_at')}, ${ms('t.decided_at')}) as begun_ms,
       coalesce(e.count, 0)::int as effects, coalesce(e.attempts, 0)::int as written_by,
       coalesce(e.last > t.written_at, false) as written_after
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
  const strikes = strikesOf(struck, rows)
  for (const [name, { recoveredMs }] of Object.entries(strikes))
    assert.ok(recoveredMs <= RECOVERS_WITHIN_LEASES * LEASE_MS, `${name}: recovered only after ${recoveredMs} ms`)
  const calmP99Ms = lateInCalm(calm, rows)
  assert.ok(calmP99Ms <= CALM_WITHIN_LEASES * LEASE_MS, `before the first strike p99 is ${calmP99Ms} ms late`)
  const count = (state: string) => rows.filter((row) => row.state === state).length
  return {
    jobs: new Set(rows.map(({ job }) => job)).size,
    due: rows.length,
    done: count('done'),
    skipped: count('skipped'),
    failed: count('failed'),
    effects: rows.reduce((sum, { effects }) => sum + effects, 0),
    longestMs: longestOf(rows),
    calmP99Ms,
    strikes,
  }
}

function strikesOf(struck: readonly Struck[], rows: readonly Row[]): Record<string, StrikeFindings> {
  const found: [string, StrikeFindings][] = []
  for (const [name, each] of Map.groupBy(struck, (strike) => strike.name)) {
    const during = each.map((strike) => rows.filter(({ at_ms: at }) => isWithin(strike, at)))
    const recovered = each.map((strike, index) => lastOf(during[index] ?? []) - strike.untilMs)
    const recoveredMs = Math.max(0, ...recovered.map(Math.round))
    found.push([name, { times: each.length, longestMs: longestOf(during.flat()), recoveredMs }])
  }
  return Object.fromEntries(found)
}

function isWithin({ fromMs, untilMs }: Stretch, ms: number): boolean {
  return fromMs <= ms && ms <= untilMs
}

function lateInCalm(calm: Stretch, rows: readonly Row[]): number {
  const late = rows
    .filter(({ job, at_ms: at, state }) => state === 'done' && isWithin(calm, at) && !isHeldBack(job))
    .map(({ at_ms: at, begun_ms: begun }) => begun - at)
    .sort((a, b) => a - b)
  return Math.round(late[Math.ceil(late.length * 0.99) - 1] ?? 0)
}

function isHeldBack(job: string): boolean {
  return TEST_JOBS.some(({ name, policy }) => name === job && policy?.jitterMs !== undefined)
}

function longestOf(rows: readonly Row[]): number {
  return Math.round(rows.reduce((longest, { decided_ms: decided, at_ms: at }) => Math.max(longest, decided - at), 0))
}

function lastOf(rows: readonly Row[]): number {
  return rows.reduce((last, { decided_ms: decided }) => Math.max(last, decided), 0)
}

/** What a process takes for the time is so much behind what Postgres does at most. */
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
  const { job, at_ms: at, state, effects, attempts, written_by: writers } = row
  const early = at - row.begun_ms
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
