/** Prefect's own server, of the package that conformance uses, on a database beside ours: to compare in one run. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import pg from 'pg'
import { freePort } from '#src/embedded/free-port.ts'
import { prepareClient } from '#test/conformance/client.ts'

const STARTS_WITHIN_MS = 120_000

/** As it is started by hand, with Postgres. Null, and a line that says why, where it can't be had. */
export async function startPrefectServer(databaseUrl: string, home: string, say: (line: string) => void) {
  const client = await prepareClient(say)
  if (typeof client === 'string') {
    say(`not compared with Prefect's server: ${client}`)
    return null
  }
  const url = new URL(databaseUrl)
  const admin = new pg.Client({ connectionString: databaseUrl })
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
