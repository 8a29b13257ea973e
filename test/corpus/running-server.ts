/** A whole Millrace for a test: API and services in this process, on servers and data of the test's own. */
import { startServer } from '#src/app.ts'
import { loadSettings } from '#src/config.ts'
import { createLog } from '#src/log.ts'
import { assertProjected } from '#test/faults/harness/projected.ts'
import { type TestScope, world } from '#test/world.ts'

/** Started, and stopped with `t`; the URL has no slash at its end. */
export function runningServer(t: TestScope, env: Readonly<Record<string, string>> = {}): Promise<string> {
  return start(t, env, async () => {})
}

/** The same; before it stops, the projections' tables have to be what the log says. */
export function verifiedServer(t: TestScope, env: Readonly<Record<string, string>> = {}): Promise<string> {
  return start(t, env, assertProjected)
}

async function start(
  t: TestScope,
  env: Readonly<Record<string, string>>,
  atTheEnd: (databaseUrl: string) => Promise<void>,
): Promise<string> {
  const { redisUrl, databaseUrl, prefix, defer } = await world(t)
  const { settings } = loadSettings({
    env: {
      MILLRACE_REDIS_URL: redisUrl,
      MILLRACE_REDIS_PREFIX: prefix,
      MILLRACE_DATABASE_URL: databaseUrl,
      MILLRACE_SERVER_PORT: '0',
      ...env,
    },
  })
  const server = await startServer({ settings, log: createLog('silent'), withApi: true, withServices: true })
  defer(() => atTheEnd(databaseUrl).finally(() => server.stop()))
  if (server.url === null) throw new Error('it was started with an API')
  return server.url
}
