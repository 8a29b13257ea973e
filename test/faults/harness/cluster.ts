/** A whole Millrace of a test's own: Redis, Postgres, API servers and services processes, each a real process. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Redis } from 'ioredis'
import pg from 'pg'
import { freePort } from '#src/embedded/free-port.ts'
import type { OwnServer } from '#test/servers/own-server.ts'
import { ownPostgres } from '#test/servers/postgres.ts'
import { startProxy, type TcpProxy } from '#test/servers/proxy.ts'
import { type OwnRedis, ownRedis } from '#test/servers/redis.ts'
import { watchApplied } from './applied-order.ts'
import { type RunningCommand, startCommand } from './command.ts'
import { type HttpProducerOptions, type RunningProducer, sendOverHttp } from './http-producer.ts'
import { assertKept, type Findings, type OracleOptions } from './oracle.ts'
import { ServerProcess } from './process.ts'
import { assertProjected } from './projected.ts'
import { chosenSeed, createRandom, type Random } from './random.ts'
import { ProducerRecord } from './record.ts'
import { sendOverSocket } from './socket-producer.ts'

export interface ClusterOptions {
  readonly apis?: number
  readonly services?: number
  /** Settings by their environment names. */
  readonly settings?: Readonly<Record<string, string>>
  /** Each process reaches Redis and Postgres through proxies of its own. */
  readonly proxied?: boolean
}

/** Between one process and its servers. */
export interface Proxies {
  readonly redis: TcpProxy
  readonly postgres: TcpProxy
}

export interface Cluster {
  readonly redis: OwnRedis
  readonly postgres: OwnServer
  readonly apis: readonly ServerProcess[]
  readonly services: ServerProcess[]
  readonly random: Random
  readonly record: ProducerRecord
  /** A client of the test's own. */
  readonly redisClient: Redis
  /** One more services process; `more` are settings of its own. */
  addServices(more?: Readonly<Record<string, string>>): Promise<ServerProcess>
  /** Starts a command of the program on these servers. */
  command(args: readonly string[], more?: Readonly<Record<string, string>>): RunningCommand
  /** The projections' tables are what the log says, as far as they have come: for tests without a producer. */
  assertProjected(): Promise<void>
  /** `api-1`, `services-2` … @throws Error when there is none */
  processNamed(name: string): ServerProcess
  /** With `proxied`. */
  proxiesOf(name: string): Proxies
  sendHttp(options?: Partial<HttpProducerOptions>): RunningProducer
  sendSocket(): RunningProducer
  query<T extends pg.QueryResultRow>(statement: string, values?: unknown[]): Promise<T[]>
  /**
   * Ends the test: what was promised is in the log, once, unchanged and in order, and the projections' tables are what the log
   * says. Adds a line to the report.
   */
  assertKept(options?: OracleOptions): Promise<Findings>
}

/** Started now and ended with `t`, in the order that lets each finish. */
export async function startCluster(t: TestContext, options: ClusterOptions = {}): Promise<Cluster> {
  const random = createRandom(chosenSeed())
  t.diagnostic(`MILLRACE_TEST_SEED=${random.seed}`)
  const home = mkdtempSync(join(tmpdir(), 'millrace-test-fault-'))
  const all: ServerProcess[] = []
  const producers: RunningProducer[] = []
  const watched = (producer: RunningProducer) => {
    producers.push(producer)
    return producer
  }
  let client: Redis | null = null
  // Before the servers register theirs: `t.after` runs in order, and whoever uses a server has to end first.
  t.after(async () => {
    client?.disconnect()
    for (const producer of producers) void producer.stop(0) // of a test that failed before it did so
    if ((t as { passed?: boolean }).passed === false) for (const each of all) process.stdout.write(tailOf(each))
    await Promise.all(all.map((each) => each.kill9()))
    rmSync(home, { recursive: true, force: true })
  })
  const [redis, postgres] = await Promise.all([ownRedis(t), ownPostgres(t)])
  client = new Redis(redis.url, { lazyConnect: true, retryStrategy: () => 100, maxRetriesPerRequest: null })
  client.on('error', () => {})
  const proxies = new Map<string, Proxies>()
  const create = async (
    name: string,
    command: readonly string[],
    port: number | null,
    more: Readonly<Record<string, string>> = {},
  ) => {
    if (options.proxied)
      proxies.set(name, { redis: await startProxy(t, redis.url), postgres: await startProxy(t, postgres.url) })
    const database = new URL(proxies.get(name)?.postgres.url ?? postgres.url)
    database.searchParams.set('application_name', name) // so that Postgres can tell who did what
    const environment = {
      MILLRACE_HOME: join(home, name),
      MILLRACE_REDIS_URL: proxies.get(name)?.redis.url ?? redis.url,
      MILLRACE_DATABASE_URL: database.href,
      MILLRACE_METRICS_PORT: '0',
      ...(port !== null && { MILLRACE_SERVER_PORT: String(port) }),
      ...options.settings,
      ...more,
    }
    const created = new ServerProcess({ name, command, environment })
    all.push(created)
    await created.start()
    return created
  }
  const services: ServerProcess[] = []
  const addServices = async (more?: Readonly<Record<string, string>>) => {
    const added = await create(`services-${services.length + 1}`, ['services', 'start'], null, more)
    services.push(added)
    return added
  }
  const apis = await Promise.all(
    Array.from({ length: options.apis ?? 1 }, async (_, i) =>
      create(`api-${i + 1}`, ['server', 'start', '--no-services'], await freePort()),
    ),
  )
  await watchApplied(postgres.url) // its table was made by the first that started
  for (let i = 0; i < (options.services ?? 1); i++) await addServices()
  const record = new ProducerRecord(random)
  const addresses = apis.map(({ url }) => url) // fixed ports: the same after a restart
  const urls = () => addresses
  return {
    redis,
    postgres,
    apis,
    services,
    random,
    record,
    redisClient: client,
    addServices,
    command(args, more) {
      const servers = { MILLRACE_REDIS_URL: redis.url, MILLRACE_DATABASE_URL: postgres.url }
      return startCommand(args, { MILLRACE_HOME: join(home, 'command'), ...servers, ...options.settings, ...more })
    },
    assertProjected: () => assertProjected(postgres.url),
    processNamed: (name) =>
      found(
        name,
        all.find((each) => each.name === name),
      ),
    proxiesOf: (name) => found(name, proxies.get(name)),
    sendHttp: (more = {}) => watched(sendOverHttp({ record, urls, ...more })),
    sendSocket: () => watched(sendOverSocket({ record, urls })),
    query: (statement, values) => query(postgres.url, statement, values),
    async assertKept(how) {
      const findings = await assertKept(postgres.url, record, how)
      t.diagnostic(reportLine(t.name, findings))
      return findings
    },
  }
}

function found<T>(name: string, thing: T | undefined): T {
  if (thing === undefined) throw new Error(`there is no ${name}`)
  return thing
}

async function query<T extends pg.QueryResultRow>(url: string, statement: string, values?: unknown[]): Promise<T[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query<T>(statement, values)).rows
  } finally {
    await client.end()
  }
}

/** The runner of `npm run faults` makes a table of these. */
function reportLine(name: string, findings: Findings): string {
  const { acknowledged, missing, inLedger, doubled, changed, reordered, misapplied, refusals } = findings
  const refused = [...refusals].map(([what, count]) => `${what}×${count}`).join(' ')
  const counts = {
    missing: missing.length,
    doubled: doubled.length,
    changed: changed.length,
    reordered: reordered.length + misapplied.length,
  }
  return `FAULT ${JSON.stringify({ name, acknowledged, ...counts, inLedger: inLedger.length, refused })}`
}

function tailOf({ name, log }: ServerProcess): string {
  return `--- the last lines of ${name}\n${log.slice(-25).join('\n')}\n`
}
