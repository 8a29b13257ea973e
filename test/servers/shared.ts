/**
 * The one Postgres and the one Redis that all test files of a run share. `test/run.ts` starts them and names them in
 * the environment; a file that is run by itself starts its own and ends them with itself.
 */
import { after } from 'node:test'
import { startEmbedded } from '#src/embedded/index.ts'
import { makeTemporaryHome, removeHome } from './temporary-home.ts'

export interface SharedServers {
  readonly redisUrl: string
  readonly databaseUrl: string
}

/** Servers in a temporary folder, which `stop` removes. */
export async function startSharedServers(): Promise<SharedServers & { readonly stop: () => Promise<void> }> {
  const home = makeTemporaryHome()
  const log: string[] = []
  try {
    const embedded = await startEmbedded({
      home,
      need: { redis: true, postgres: true },
      log: (line) => log.push(line),
    })
    const { redisUrl, databaseUrl } = embedded
    if (redisUrl === null || databaseUrl === null) throw new Error('both were asked for')
    const stop = async (): Promise<void> => {
      await embedded.stop()
      removeHome(home)
    }
    return { redisUrl, databaseUrl, stop }
  } catch (error) {
    removeHome(home)
    throw new Error(`the servers for the tests did not start\n${log.join('\n')}`, { cause: error })
  }
}

let own: ReturnType<typeof startSharedServers> | null = null

/** Those of the run, else this process's own. */
export async function sharedServers(): Promise<SharedServers> {
  const { MILLRACE_TEST_REDIS_URL: redisUrl, MILLRACE_TEST_DATABASE_URL: databaseUrl } = process.env
  if (redisUrl && databaseUrl) return { redisUrl, databaseUrl }
  own ??= startOwn()
  return own
}

/** A file that is interrupted, or takes longer than its caller waits, ends them too. */
function startOwn(): ReturnType<typeof startSharedServers> {
  const starting = startSharedServers()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, async () => {
      await starting.then((servers) => servers.stop()).catch(() => {})
      process.exit(1)
    })
  }
  return starting
}

after(async () => {
  await (await own)?.stop()
})
