/** What a test may do to a server of its own. */
import type { EmbeddedServer } from '#src/embedded/index.ts'
import { childrenOf, identify, isRunning } from '#src/embedded/process-identity.ts'
import { waitUntil } from '../wait-until.ts'
import type { TestScope } from '../world.ts'

export interface OwnServer {
  /** Stays the same however often it is restarted. */
  readonly url: string
  readonly port: number
  /** Of the process that runs now, or ran last. */
  readonly pid: number
  /** Ends it as a crash would, its helpers included, and resolves when no process of it is left. */
  kill9(): Promise<void>
  /** Ends it cleanly. */
  stop(): Promise<void>
  /** Starts it on the same port and data, stopping it first if it runs; resolves when it answers. */
  restart(): Promise<void>
  /** Freezes it: connections stay open and nothing answers. */
  pause(): void
  /** Ends the pause. */
  resume(): void
}

/**
 * @param start on the port given, else on any
 * @param clean runs when the test and the server have ended
 */
export async function ownServer(
  t: TestScope,
  start: (port: number | null) => Promise<EmbeddedServer>,
  clean: () => void,
): Promise<OwnServer> {
  const first = start(null)
  let server: EmbeddedServer | null = null
  t.after(async () => {
    await (server ?? (await first.catch(() => null)))?.stop()
    clean()
  })
  server = await first
  let current = server
  const url = server.url
  return {
    url,
    port: server.port,
    get pid() {
      return current.pid
    },
    async kill9() {
      const family = [current.pid, ...childrenOf(current.pid)].map(identify).filter((each) => each !== null)
      signal(current.pid, 'SIGKILL')
      await waitUntil(() => !family.some(isRunning), { what: 'the killed processes to be gone' })
      await current.stop()
    },
    stop: () => current.stop(),
    async restart() {
      await current.stop()
      current = await start(current.port)
      server = current
    },
    pause: () => signal(current.pid, 'SIGSTOP'),
    resume: () => signal(current.pid, 'SIGCONT'),
  }
}

/** To the helpers of Postgres too: each connection has one, and it goes on for a while when only the first is hit. */
function signal(pid: number, name: NodeJS.Signals): void {
  for (const each of [pid, ...childrenOf(pid)]) {
    try {
      process.kill(each, name)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}
