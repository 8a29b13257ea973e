/**
 * The doctor: looks at Postgres and Redis, says what is wrong with them and which command mends it. It changes nothing, works
 * without a server of ours, and says so when one of the two doesn't answer.
 */
import { type BusAddress, readServerFacts } from '#src/bus/index.ts'
import { compareClocks } from '#src/clock.ts'
import { AppError } from '#src/errors.ts'
import type { Log } from '#src/log.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import { withSession } from '#src/store/schema/session.ts'
import { type ComparedClock, clockFindings } from './clocks.ts'
import { type Finding, LIMITS, type Limits, psql, redisCli } from './finding.ts'
import { bloat } from './postgres/bloat.ts'
import { days } from './postgres/days.ts'
import { deadTuples } from './postgres/dead-tuples.ts'
import { schema } from './postgres/schema.ts'
import { server } from './postgres/server.ts'
import { readSizes, type Size } from './postgres/sizes.ts'
import { unusedIndexes } from './postgres/unused-indexes.ts'
import { wraparound } from './postgres/wraparound.ts'
import { redisFindings } from './redis.ts'

export type { Finding, Limits } from './finding.ts'
export { LIMITS } from './finding.ts'
export type { Size } from './postgres/sizes.ts'

export interface Patients {
  readonly databaseUrl: string
  /** Null: it isn't looked at. */
  readonly redis: BusAddress | null
  readonly nowMs: () => number
  /** For one statement, and for connecting to Redis. */
  readonly timeoutMs: number
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
  const [postgres, redis] = await Promise.all([examinePostgres(patients, limits), examineRedis(patients, limits)])
  const clocks = clockFindings([...redis.clocks, ...postgres.clocks], limits)
  const findings = [...postgres.findings, ...redis.findings, ...clocks]
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
    return { findings: [away('postgres', error, psql('select 1'))], clocks: [], sizes: [] }
  }
}

async function examineRedis({ redis, nowMs, timeoutMs, log }: Patients, limits: Limits): Promise<Examined> {
  if (redis === null) return { findings: [], clocks: [] }
  try {
    const servers = await readServerFacts({ ...redis, log, nowMs, withinMs: timeoutMs })
    return {
      findings: servers.flatMap((facts) => redisFindings(facts, limits)),
      clocks: servers.map(({ address, clock }) => ({ of: `Redis at ${address}`, ...clock })),
    }
  } catch (error) {
    return { findings: [away('redis', error, redisCli('ping'))], clocks: [] }
  }
}

/** One part that can't be looked at keeps nobody from looking at the others. */
function unexamined(name: string, error: Error): Finding {
  const what = `the check ${name} could not be made (${error.message})`
  return { check: 'unexamined', level: 'warning', subject: 'postgres', what, remedy: psql('select current_user') }
}

function away(subject: string, error: unknown, remedy: string): Finding {
  if (!(error instanceof AppError)) throw error
  return { check: 'away', level: 'critical', subject, what: error.message, remedy }
}
