import type { BusAddress } from '#src/bus/index.ts'
import { hostsOf, parseRedisUrl } from '#src/config/redis-url.ts'

/** Something that is wrong, or will be, and the command that mends it. */
export interface Finding {
  /** Lasting name of the kind of finding, for programs: `dead-tuples`, `redis-policy`. */
  readonly check: string
  /** `critical`: events are lost or refused, or may be at any time. */
  readonly level: 'warning' | 'critical'
  /** What has it: `table event_20261125`, `redis 10.0.0.7:6379`. */
  readonly subject: string
  /** One sentence. */
  readonly what: string
  /** To be typed into a shell, where `MILLRACE_DATABASE_URL` and the URLs of Redis are set. */
  readonly remedy: string
}

/** From where on something is worth a finding. */
export interface Limits {
  /** Of a table's rows that may be dead, and how many there must be to matter. */
  readonly deadShare: number
  readonly deadRows: number
  /** Autovacuum lags when there are so many times the dead rows at which it should have come. */
  readonly overdue: number
  /** Of a table or an index that may be empty space, and how much of it matters. */
  readonly bloatShare: number
  readonly bloatBytes: number
  /** An index that nobody has used for so long, if it is at least so large. */
  readonly unusedMs: number
  readonly unusedBytes: number
  /** A transaction may be open for so long. */
  readonly transactionMs: number
  /** Of all transaction ids, those that may pass before a table's rows are frozen; autovacuum comes at a tenth. */
  readonly frozenShare: number
  readonly frozenShareCritical: number
  /** Log that Postgres keeps for a replica which isn't there. */
  readonly slotBytes: number
  /** Of the connections that Postgres has. */
  readonly connectionShare: number
  /** Events in the default partition, dated further ahead than days are made. */
  readonly aheadEvents: number
  /** Of Redis' `maxmemory`: senders are refused from the first on, and Redis is taken for full from the second. */
  readonly memoryShare: number
  readonly fullShare: number
  /** Two clocks may differ by so much. */
  readonly clockMs: number
}

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const MIB = 1024 * 1024

export const LIMITS: Limits = {
  deadShare: 0.2,
  deadRows: 10_000,
  overdue: 2,
  bloatShare: 0.5,
  bloatBytes: 64 * MIB,
  unusedMs: 7 * DAY_MS,
  unusedBytes: 8 * MIB,
  transactionMs: 15 * MINUTE_MS,
  frozenShare: 0.25,
  frozenShareCritical: 0.5,
  slotBytes: 1024 * MIB,
  connectionShare: 0.8,
  aheadEvents: 10_000,
  memoryShare: 0.8,
  fullShare: 0.95,
  clockMs: 1_000,
}

/** A remedy of SQL statements, in the order given. */
export function psql(...statements: readonly string[]): string {
  const quoted = statements.map((statement) => `-c "${statement.replaceAll(/(["$`\\])/g, '\\$1')}"`)
  return `psql "$MILLRACE_DATABASE_URL" ${quoted.join(' ')}`
}

/** Makes a remedy of a command of Redis. */
export type RedisCli = (...words: readonly string[]) => string

/**
 * Of the servers that a URL leads to, for the one at this `host:port`; else for the first that it names. redis-cli reads no URL
 * that names several, so there the address stands in its place, and who types it adds user and password.
 */
export function redisCli({ url, setting = 'MILLRACE_REDIS_URL' }: BusAddress, address?: string): RedisCli {
  const reading = parseRedisUrl(url)
  if (!('target' in reading) || reading.target.kind === 'standalone')
    return (...words) => `redis-cli -u "$${setting}" ${words.join(' ')}`
  const { target } = reading
  const [, host, port] = /^\[?(.*?)]?:(\d+)$/.exec(address ?? hostsOf(target).split(', ')[0] ?? '') ?? []
  return (...words) => `redis-cli -h ${host} -p ${port}${target.tls ? ' --tls' : ''} ${words.join(' ')}`
}

/** A remedy of our own. */
export function millrace(command: string): string {
  return `millrace ${command}`
}
