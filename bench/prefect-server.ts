/** Prefect's own server, of the package that conformance uses, on the same Postgres and Redis beside ours: to compare in one run. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import pg from 'pg'
import { freePort } from '#src/embedded/free-port.ts'
import { type Client, prepareClient } from '#test/conformance/client.ts'
import type { BenchServers } from './servers.ts'

const STARTS_WITHIN_MS = 120_000
/** What lets its server use Redis; the newest when this was last looked at. */
const PREFECT_REDIS_VERSION = '0.3.0'

const run = promisify(execFile)

/** As its scaling guide has it: Postgres, and Redis for messages, order, leases and services. Null, and a line that says why, where it can't be had. */
export async function startPrefectServer({ postgres, redis }: BenchServers, home: string, say: (line: string) => void) {
  const client = await prepareClient(say)
  if (client === null) {
    say("not compared with Prefect's server: that needs Python 3.10 or newer")
    return null
  }
  await installRedisPart(client)
  const url = new URL(postgres.url)
  const redisUrl = new URL(redis.url)
  redisUrl.pathname = '/1' // ours is 0
  const admin = new pg.Client({ connectionString: postgres.url })
  await admin.connect()
  await admin.query('create database prefect_bench')
  await admin.end()
  url.pathname = '/prefect_bench'
  const port = await freePort(null)
  const child = spawn(`${client.prefect}/prefect`, ['server', 'start', '--no-ui', '--port', String(port)], {
    env: {
      PATH: `${client.prefect}:${process.env['PATH'] ?? ''}`,
      HOME: home,
      PREFECT_HOME: `${home}/prefect`,
      PREFECT_API_DATABASE_CONNECTION_URL: url.href.replace(/^postgres(ql)?:/, 'postgresql+asyncpg:'),
      PREFECT_SERVER_EVENTS_MESSAGING_BROKER: 'prefect_redis.messaging',
      PREFECT_SERVER_EVENTS_MESSAGING_CACHE: 'prefect_redis.messaging',
      PREFECT_SERVER_EVENTS_CAUSAL_ORDERING: 'prefect_redis.ordering',
      PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE: 'prefect_redis.lease_storage',
      PREFECT_SERVER_DOCKET_URL: redisUrl.href,
      PREFECT_REDIS_MESSAGING_URL: redisUrl.href,
      PREFECT_SERVER_ANALYTICS_ENABLED: 'false',
      PREFECT_LOGGING_LEVEL: 'WARNING',
    },
    stdio: 'ignore',
  })
  const until = Date.now() + STARTS_WITHIN_MS
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/api/health`).catch(() => null)
    if (answer?.ok) break
    if (Date.now() > until || child.exitCode !== null) throw new Error("Prefect's server did not start")
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  return {
    port,
    version: client.version,
    async stop() {
      if (child.exitCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function installRedisPart({ prefect, version }: Client): Promise<void> {
  const installed = await run(`${prefect}/python`, ['-c', 'import prefect_redis']).then(
    ...([() => true, () => false] as const),
  )
  if (installed) return
  const packages = [`prefect-redis==${PREFECT_REDIS_VERSION}`, `prefect==${version}`]
  await run(`${prefect}/pip`, ['install', '--quiet', '--disable-pip-version-check', ...packages])
}
