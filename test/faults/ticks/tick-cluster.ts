/** Replicas of two builds whose clocks disagree, a Redis with a standby, a Postgres, and proxies between them. */
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import pg from 'pg'
import { migrate } from '#src/store/migrate.ts'
import type { OwnServer } from '#test/servers/own-server.ts'
import { ownPostgres } from '#test/servers/postgres.ts'
import { startProxy, type TcpProxy } from '#test/servers/proxy.ts'
import { type OwnRedis, ownRedis } from '#test/servers/redis.ts'
import { ServerProcess } from '../harness/process.ts'
import { CLOCK_KEY, SETTABLE_CLOCK } from '../harness/releases.ts'
import type { Build } from './jobs.ts'

export interface Replica {
  readonly process: ServerProcess
  readonly redis: TcpProxy
  readonly postgres: TcpProxy
}

export interface TickCluster {
  readonly replicas: readonly Replica[]
  readonly postgres: OwnServer
  /** The Redis that all of them use now, and a client of the test's own to it. */
  primary(): OwnRedis
  client(): Redis
  /** The standby follows; once let go it is a copy of what was then. */
  standBy(): Promise<void>
  letGo(): Promise<void>
  /** Leads a replica to the primary, or to no Redis at all; the latter whatever becomes of the primary. */
  leadToRedis(replica: Replica, there: boolean): void
  /** Kills the primary and leads everybody to the standby; the one that was killed will be the next standby. */
  promote(): Promise<void>
  /** Guests too, which are started to die: `guest-1`, `guest-2`. */
  replicaNamed(name: string): Replica
  /** Sets the clock of a server off, for all that its users can see of it. */
  setClock(server: 'redis' | 'postgres', aheadMs: number): Promise<unknown>
  query<T extends pg.QueryResultRow>(statement: string, values?: readonly unknown[]): Promise<T[]>
}

/** There only to die. */
export const GUESTS = ['guest-1', 'guest-2'] as const

/** So that a server that never comes back fails the test rather than keep it waiting. */
const ANSWER_MS = 30_000
const PASSWORD = 'of-both'
const CONFIG = { masterauth: PASSWORD, 'repl-diskless-sync-delay': '0', 'enable-debug-command': 'local' }
const NO_REDIS = 'redis://127.0.0.1:1'
/** Found before Postgres' own function of that name by all that asks for the time, defaults of columns included. */
const OWN_CLOCK = `
  create table clock (ahead_ms float8 not null);
  insert into clock values (0);
  create function clock_timestamp() returns timestamptz language sql volatile as
    'select pg_catalog.clock_timestamp() + (select ahead_ms from public.clock) * interval ''1 millisecond''';
  do $$ begin execute format('alter database %I set search_path = public, pg_catalog', current_database()); end $$`
/** When things happened by a clock that nobody sets. Effects have no constraint at all: what is written twice is seen twice. */
const WITNESSES = `
  create table effect (job text, scheduled_for timestamptz, attempt int, pid int, began timestamptz,
    at timestamptz default pg_catalog.clock_timestamp());
  alter table tick add column written_at timestamptz;
  create function note_writing() returns trigger language plpgsql as
    $$ begin new.written_at = pg_catalog.clock_timestamp(); return new; end $$;
  create trigger note_writing before insert or update on tick for each row execute function note_writing()`
const MAIN = fileURLToPath(new URL('./replica.ts', import.meta.url))
/** Builds and clocks: minutes off, in both directions, and seconds; nothing may depend on them. */
const KINDS: readonly (readonly [build: Build, offsetMs: number])[] = [
  ['new', 0],
  ['old', 300_000],
  ['new', -300_000],
  ['old', 3_000], // little enough for it to be taken for right, were it asked
]

/** Started now and ended with `t`. */
export async function startTickCluster(t: TestContext): Promise<TickCluster> {
  const processes: ServerProcess[] = []
  const clients: Redis[] = []
  t.after(async () => {
    for (const client of clients) client.disconnect()
    if ((t as { passed?: boolean }).passed === false)
      for (const { name, log } of processes) process.stdout.write(`--- ${name}\n${log.slice(-15).join('\n')}\n`)
    await Promise.all(processes.map((each) => each.kill9()))
  })
  const servers = await Promise.all([1, 2].map(() => ownRedis(t, { password: PASSWORD, config: CONFIG })))
  const postgres = await ownPostgres(t)
  for (const { url } of servers) {
    const client = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null, commandTimeout: ANSWER_MS })
    client.on('error', () => {})
    clients.push(client)
  }
  let primary = 0
  const clientOf = (index: number) => clients[index] as Redis
  const portOf = (index: number) => (servers[index] as OwnRedis).port
  /** Those that are led to the primary. */
  const led = new Set<TcpProxy>()
  const query: TickCluster['query'] = async <T extends pg.QueryResultRow>(
    statement: string,
    values: readonly unknown[] = [],
  ) => {
    const limits = { connectionTimeoutMillis: ANSWER_MS, query_timeout: ANSWER_MS }
    const client = new pg.Client({ connectionString: postgres.url, ...limits })
    client.on('error', () => {})
    await client.connect()
    try {
      return (await client.query<T>(statement, [...values])).rows
    } finally {
      await client.end()
    }
  }
  await query(OWN_CLOCK)
  await migrate(postgres.url, { timeoutMs: 0 })
  await query(WITNESSES)

  const create = async (name: string, [build, offsetMs]: (typeof KINDS)[number]): Promise<Replica> => {
    const redis = await startProxy(t, (servers[primary] as OwnRedis).url)
    led.add(redis)
    const toPostgres = await startProxy(t, postgres.url)
    const started = new ServerProcess({
      ...{ name, command: [], main: MAIN, says: /runs/ },
      environment: {
        MILLRACE_TEST_REDIS_URL: redis.url,
        MILLRACE_TEST_DATABASE_URL: toPostgres.url,
        MILLRACE_TEST_BUILD: build,
        MILLRACE_TEST_RELEASE: SETTABLE_CLOCK,
        MILLRACE_TEST_CLOCK_OFFSET: String(offsetMs),
      },
    })
    processes.push(started)
    return { process: started, redis, postgres: toPostgres }
  }
  const replicas = await Promise.all(KINDS.map((kind, i) => create(`replica-${i + 1}`, kind)))
  const guests = await Promise.all(GUESTS.map((name) => create(name, ['old', 0])))
  await Promise.all(replicas.map(({ process: each }) => each.start()))

  return {
    replicas,
    postgres,
    primary: () => servers[primary] as OwnRedis,
    client: () => clientOf(primary),
    async standBy() {
      await clientOf(1 - primary).replicaof('127.0.0.1', portOf(primary))
    },
    async letGo() {
      await clientOf(1 - primary).replicaof('NO', 'ONE')
    },
    leadToRedis({ redis }, there) {
      if (there) led.add(redis)
      else led.delete(redis)
      redis.aim(there ? (servers[primary] as OwnRedis).url : NO_REDIS)
    },
    async promote() {
      const old = servers[primary] as OwnRedis
      primary = 1 - primary
      await old.kill9()
      for (const proxy of led) proxy.aim((servers[primary] as OwnRedis).url)
      await old.restart()
    },
    replicaNamed(name) {
      const found = [...replicas, ...guests].find(({ process: each }) => each.name === name)
      if (found === undefined) throw new Error(`there is no ${name}`)
      return found
    },
    setClock: (server, aheadMs) =>
      server === 'redis'
        ? clientOf(primary).set(CLOCK_KEY, aheadMs)
        : query('update clock set ahead_ms = $1', [aheadMs]),
    query,
  }
}
