/**
 * What it costs that events leave the log: days dropped against the same number of rows deleted in batches and vacuumed,
 * in one run; what ingest notices of days that leave while it runs; and 20 of 30 days of a large log.
 */
import pg from 'pg'
import type { PruneStep } from '#src/retention/steps.ts'
import { dayTable } from '#src/store/day-partitions.ts'
import { migrate } from '#src/store/migrate.ts'
import { makeEvents, makeRequests } from '../events.ts'
import { sendAll } from '../http-load.ts'
import {
  attemptsOf,
  bytesOf,
  DAY_MS,
  daysAgo,
  deleteDay,
  fill,
  KEPT_DAYS,
  longestLock,
  measured,
  prune,
} from '../old-days.ts'
import { median, percentile, round, type Scenario } from '../scenario.ts'
import { type BenchServers, startBenchServers } from '../servers.ts'

/** A reader of the log asks for a page so often. */
const ASK_EVERY_MS = 20

/** What is promised: nobody waits for longer. */
const MOST_LOCKED_MS = 100

type Row = Record<string, string | number>

export const retention: Scenario = {
  name: 'retention',
  title: 'events leave the log: by day, against DELETE and VACUUM; and what ingest notices',
  async run({ quick, say }) {
    const servers = await startBenchServers()
    const pool = new pg.Pool({ connectionString: servers.postgres.url, max: 3 })
    try {
      await migrate(servers.postgres.url, { timeoutMs: 0 })
      const failures: string[] = []
      const rows = [
        ...(await dropAgainstDelete(pool, quick ? 100_000 : 1_000_000, 10, say, failures)),
        ...(quick ? [] : await dropAgainstDelete(pool, 1_000_000, 1, say, failures)),
        ...(await ingestMeanwhile(servers, pool, quick, say, failures)),
        ...(quick ? [] : await largeLog(pool, 5_000_000, say, failures)),
      ]
      return { rows, failures }
    } finally {
      await pool.end()
      await servers.stop()
    }
  },
}

async function dropAgainstDelete(
  pool: pg.Pool,
  events: number,
  days: number,
  say: (line: string) => void,
  failures: string[],
): Promise<Row[]> {
  const [dropped, deleted] = [daysAgo(20, days), daysAgo(40, days)]
  const what = `${events} events in ${days === 1 ? 'one day' : `${days} days`}`
  await fill(pool, [...dropped, ...deleted], events / days)
  say(`${what}, twice`)
  await pool.query('checkpoint')
  const byDelete = await measured(pool, async () => {
    for (const day of deleted) await deleteDay(pool, dayTable(day))
  })
  const still = await bytesOf(pool, deleted)
  for (const day of deleted) await pool.query(`drop table ${dayTable(day)}`)
  await pool.query('checkpoint')
  const steps: PruneStep[] = []
  const byDrop = await measured(pool, () => prune(pool, (step) => void steps.push(step)))
  if (dropped.length !== steps.filter(({ step }) => step === 'dropped').length)
    failures.push('not every day was dropped')
  say(`dropped in ${round(byDrop.ms)} ms, deleted and vacuumed in ${round(byDelete.ms)} ms`)
  return [
    {
      what: `drop ${what}`,
      ms: round(byDrop.ms),
      'WAL kB': round(byDrop.wal / 1_000),
      more: 'nothing is left',
    },
    {
      what: 'DELETE in batches, VACUUM',
      ms: round(byDelete.ms),
      'WAL kB': round(byDelete.wal / 1_000),
      more: `${round(still / 1e6)} MB still allocated`,
    },
    {
      what: 'times less by drop',
      ms: round(byDelete.ms / byDrop.ms),
      'WAL kB': round(byDelete.wal / byDrop.wal),
      more: '',
    },
    {
      what: 'longest lock of the log',
      ms: lockOf(steps, failures),
      'WAL kB': '',
      more: 'the wait for it included',
    },
  ]
}

/** The longest lock, attempts in vain included; one that breaks the promise fails the bench. */
function lockOf(steps: readonly PruneStep[], failures: string[]): number {
  const ms = round(longestLock(steps), 1)
  if (ms > MOST_LOCKED_MS) failures.push(`the log was locked for ${ms} ms`)
  return ms
}

/** Rounds with and without pruning, in turns: days that leave one after another, and an override's paced deletes. */
async function ingestMeanwhile(
  servers: BenchServers,
  pool: pg.Pool,
  quick: boolean,
  say: (line: string) => void,
  failures: string[],
): Promise<Row[]> {
  const rounds = quick ? 3 : 7
  const count = quick ? 40_000 : 100_000
  const millrace = await servers.millrace(['server', 'start'], { MILLRACE_SERVICES_RETENTION_ENABLED: 'false' })
  const rates = { alone: [] as number[], drops: [] as number[], deletes: [] as number[] }
  const waits = { alone: [] as number[], drops: [] as number[], deletes: [] as number[] }
  const steps: PruneStep[] = []
  const oneRound = (kind: keyof typeof rates, meanwhile: () => Promise<unknown> = async () => {}) =>
    whileAsking(millrace.port, waits[kind], async () => {
      const [rate] = await Promise.all([throughMillrace(pool, millrace.port, count), meanwhile()])
      rates[kind].push(rate)
    })
  await throughMillrace(pool, millrace.port, count / 2)
  for (let i = 0; i < rounds; i++) {
    await oneRound('alone')
    await fill(pool, daysAgo(20, 20), 1_000)
    await oneRound('drops', () => prune(pool, (step) => void steps.push(step)))
    await fill(pool, daysAgo(2, 1), 20_000)
    await oneRound('deletes', () => prune(pool, (step) => void steps.push(step), { 'bench.*': DAY_MS }))
    say(
      `round ${i + 1} of ${rounds}: ${round(rates.alone[i] ?? 0)} events/s, ${round(rates.drops[i] ?? 0)} and ${round(rates.deletes[i] ?? 0)} during pruning`,
    )
  }
  await millrace.stop()
  const dropped = steps.filter(({ step }) => step === 'dropped').length
  const deleted = steps.reduce((sum, step) => sum + (step.step === 'deleted' ? step.events : 0), 0)
  if (dropped === 0 || deleted === 0) failures.push('nothing left while events came in')
  const ratio = (other: readonly number[]) => round(median(other.map((rate, i) => rate / (rates.alone[i] ?? 1))), 2)
  const asked = (kind: keyof typeof waits) =>
    `a page of the log: p50 ${round(percentile(waits[kind], 0.5), 1)} ms, p99 ${round(percentile(waits[kind], 0.99))} ms`
  return [
    { what: 'ingest alone, events/s', ms: round(median(rates.alone)), 'WAL kB': '', more: asked('alone') },
    {
      what: `while ${round(dropped / rounds)} days leave`,
      ms: round(median(rates.drops)),
      'WAL kB': '',
      more: `${ratio(rates.drops)} of it; ${asked('drops')}`,
    },
    {
      what: `while ${round(deleted / rounds)} events are deleted`,
      ms: round(median(rates.deletes)),
      'WAL kB': '',
      more: `${ratio(rates.deletes)} of it; ${asked('deletes')}`,
    },
    {
      what: 'longest lock of the log',
      ms: lockOf(steps, failures),
      'WAL kB': '',
      more: `${dropped} days, ${attemptsOf(steps)} attempts`,
    },
  ]
}

async function largeLog(
  pool: pg.Pool,
  events: number,
  say: (line: string) => void,
  failures: string[],
): Promise<Row[]> {
  const each = Math.ceil(events / 30)
  await fill(pool, daysAgo(KEPT_DAYS, KEPT_DAYS), each)
  await fill(pool, daysAgo(KEPT_DAYS + 21, 20), each)
  say(`${events} events in 30 days`)
  const steps: PruneStep[] = []
  const { ms, wal } = await measured(pool, () => prune(pool, (step) => void steps.push(step)))
  const dropped = steps.filter(({ step }) => step === 'dropped').length
  if (dropped !== 20) failures.push(`${dropped} of 20 days were dropped`)
  return [
    {
      what: `20 of 30 days, ${events} events`,
      ms: round(ms),
      'WAL kB': round(wal / 1_000),
      more: `longest lock ${lockOf(steps, failures)} ms`,
    },
  ]
}

/** Asks for the latest page of the log again and again while something else goes on. */
async function whileAsking(port: number, waitsMs: number[], work: () => Promise<void>): Promise<void> {
  let isDone = false
  async function ask(): Promise<void> {
    while (!isDone) {
      const began = performance.now()
      const response = await fetch(`http://127.0.0.1:${port}/api/events/filter`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ filter: {}, limit: 50 }),
      })
      if (!response.ok) throw new Error(`a page of the log was answered with ${response.status}`)
      await response.arrayBuffer()
      waitsMs.push(performance.now() - began)
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS))
    }
  }
  const asking = ask()
  await work().finally(() => {
    isDone = true
  })
  await asking
}

async function throughMillrace(pool: pg.Pool, port: number, count: number): Promise<number> {
  const applied = async () =>
    Number(
      (await pool.query('select coalesce(sum(event_count), 0) as sum from checkpoint where "group" = \'persister\''))
        .rows[0]?.sum,
    )
  const requests = makeRequests(makeEvents(count), 100, '/api/events')
  const start = await applied()
  const began = performance.now()
  await sendAll(requests, { port, connections: 16 })
  while ((await applied()) < start + count && performance.now() - began < 60_000)
    await new Promise((resolve) => setTimeout(resolve, 5))
  return count / ((performance.now() - began) / 1_000)
}
