/**
 * The doctor: looks at Postgres and Redis, says what is wrong with them and which command mends it. It changes nothing, works
 * without a server of ours, and says so when one of the two doesn't answer.
 */
import { type BusAddress, readServerFacts, type ServerFacts } from '#src/bus/index.ts'
import { compareClocks } from '#src/clock.ts'
import { AppError } from '#src/errors.ts'
import type { Log } from '#src/log.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import { withSession } from '#src/store/schema/session.ts'
import { type ComparedClock, clockFindings } from './clocks.ts'
import { type Finding, LIMITS, type Limits, psql, type RedisCli, redisCli } from './finding.ts'
import { bloat } from './postgres/bloat.ts'
import { days } from './postgres/days.ts'
import { deadTuples } from './postgres/dead-tuples.ts'
import { schema } from './postgres/schema.ts'
import { server } from './postgres/server.ts'
import { readSizes, type Size } from './postgres/sizes.ts'
import { unusedIndexes } from './postgres/unused-indexes.ts'
import { wraparound } from './postgres/wraparound.ts'
import { redisFindings } from './redis.ts'
import { schedulerRedisFindings } from './scheduler-redis.ts'

export type { Finding, Limits } from './finding.ts'
export { LIMITS } from './finding.ts'
export type { Size } from './postgres/sizes.ts'

/** As long as a connection to Postgres may take. */
const REDIS_WITHIN_MS = 10_000

export interface Patients {
  readonly databaseUrl: string
  /** Where the events are. Null: it isn't looked at. */
  readonly redis: BusAddress | null
  /** What the scheduler uses, where that is another. */
  readonly schedulerRedis?: BusAddress
  readonly nowMs: () => number
  /** For one statement of Postgres; 0 for no limit. */
  readonly timeoutMs: number
  /** Redis is away when it doesn't answer within; 10 s unless said otherwise. */
  readonly redisWithinMs?: number
  readonly log: Log
  readonly limits?: Partial<Limits>
}

export interface Diagnosis {
  /** The critical ones first. */
  readonly findings: readonly Finding[]
  /** Tables, the largest first; empty when Postgres doesn't answer. */
  readonly sizes: readonly Size[]
}

export async function examine(patients: Patients): Promise<Diagnosis> {
  const limits = { ...LIMITS, ...patients.limits }
  const { redis, schedulerRedis = null } = patients
  const [postgres, events, ticks] = await Promise.all([
    examinePostgres(patients, limits),
    examineRedis(patients, redis, OF_EVENTS, limits),
    examineRedis(patients, schedulerRedis, OF_TICKS, limits),
  ])
  const clocks = clockFindings([...events.clocks, ...ticks.clocks, ...postgres.clocks], limits)
  const findings = [...postgres.findings, ...events.findings, ...ticks.findings, ...clocks]
  const rank = ({ level }: Finding) => (level === 'critical' ? 0 : 1)
  return { findings: findings.sort((a, b) => rank(a) - rank(b)), sizes: postgres.sizes }
}

interface Examined {
  readonly findings: Finding[]
  readonly clocks: ComparedClock[]
}

async function examinePostgres(
  { databaseUrl, nowMs, timeoutMs }: Patients,
  limits: Limits,
): Promise<Examined & { readonly sizes: Size[] }> {
  const checks: [name: string, check: (db: Queryable) => Promise<Finding[]>][] = [
    ['schema', schema],
    ['days', (db) => days(db, limits, nowMs())],
    ['server', (db) => server(db, limits)],
    ['dead-tuples', (db) => deadTuples(db, limits)],
    ['wraparound', (db) => wraparound(db, limits)],
    ['bloat', (db) => bloat(db, limits)],
    ['unused-index', (db) => unusedIndexes(db, limits)],
  ]
  try {
    return await withSession(databaseUrl, async (session) => {
      await session.limit(timeoutMs)
      const findings: Finding[] = []
      for (const [name, check] of checks)
        findings.push(...(await check(session.client).catch((error: Error) => [unexamined(name, error)])))
      const time = async () => {
        const { rows } = await session.client.query<{ ms: number }>(
          'select extract(epoch from clock_timestamp())::float8 * 1000 as ms',
        )
        return rows[0]?.ms ?? 0
      }
      const clocks = [{ of: 'Postgres', ...(await compareClocks(nowMs, time)) }]
      return { findings, clocks, sizes: await readSizes(session.client).catch(() => []) }
    })
  } catch (error) {
    return { findings: [away('postgres', 'critical', error, psql('select 1'))], clocks: [], sizes: [] }
  }
}

interface RedisUse {
  /** As the subject of a finding, and in the sentence about clocks. */
  readonly subject: string
  readonly clock: string
  /** What it means that it doesn't answer. */
  readonly away: Finding['level']
  find(facts: ServerFacts, cli: RedisCli, limits: Limits): Finding[]
}

const OF_EVENTS: RedisUse = { subject: 'redis', clock: 'Redis', away: 'critical', find: redisFindings }
const OF_TICKS: RedisUse = {
  subject: "the scheduler's redis",
  clock: "the scheduler's Redis",
  away: 'warning',
  find: schedulerRedisFindings,
}

async function examineRedis(
  { nowMs, redisWithinMs = REDIS_WITHIN_MS, log }: Patients,
  at: BusAddress | null,
  use: RedisUse,
  limits: Limits,
): Promise<Examined> {
  if (at === null) return { findings: [], clocks: [] }
  try {
    const servers = await readServerFacts({ ...at, log, nowMs, withinMs: redisWithinMs })
    return {
      findings: servers.flatMap((facts) => use.find(facts, redisCli(at, facts.address), limits)),
      clocks: servers.map(({ address, clock }) => ({ of: `${use.clock} at ${address}`, ...clock })),
    }
  } catch (error) {
    return { findings: [away(use.subject, use.away, error, redisCli(at)('ping'))], clocks: [] }
  }
}

/** One part that can't be looked at keeps nobody from looking at the others. */
function unexamined(name: string, error: Error): Finding {
  const what = `the check ${name} could not be made (${error.message})`
  return { check: 'unexamined', level: 'warning', subject: 'postgres', what, remedy: psql('select current_user') }
}

function away(subject: string, level: Finding['level'], error: unknown, remedy: string): Finding {
  if (!(error instanceof AppError)) throw error
  return { check: 'away', level, subject, what: error.message, remedy }
}
