/** Real servers for one run of a scenario, in a temporary folder, with the settings of the embedded default. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type EmbeddedServer, startPostgres, startRedis } from '#src/embedded/index.ts'
import { makeTemporaryHome, removeHome } from '#test/servers/temporary-home.ts'

export interface BenchServers {
  readonly redis: EmbeddedServer
  readonly postgres: EmbeddedServer
  /** Starts a Millrace process with these arguments; resolves with its port once it serves. */
  millrace(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<BenchProcess>
  stop(): Promise<void>
}

export interface BenchProcess {
  readonly pid: number
  readonly port: number
  stop(): Promise<void>
}

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))

export async function startBenchServers(): Promise<BenchServers> {
  const home = makeTemporaryHome()
  const log = () => {}
  const [redis, postgres] = await Promise.all([
    startRedis({ folder: join(home, 'redis'), log }),
    startPostgres({ folder: join(home, 'postgres'), log }),
  ])
  const children: ChildProcess[] = []
  return {
    redis,
    postgres,
    millrace(args, env = {}) {
      const child = spawn(process.execPath, [MAIN, ...args], {
        env: {
          ...process.env,
          MILLRACE_REDIS_URL: redis.url,
          MILLRACE_DATABASE_URL: postgres.url,
          MILLRACE_SERVER_PORT: '0',
          MILLRACE_LOG_LEVEL: 'warn',
          ...env,
        },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      children.push(child)
      return new Promise((resolve, reject) => {
        let text = ''
        child.stdout?.on('data', (chunk) => {
          text += chunk
          const port = /http:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1]
          if (port !== undefined) resolve({ pid: child.pid as number, port: Number(port), stop: () => end(child) })
        })
        child.once('exit', (code) => reject(new Error(`millrace ended with ${code}`)))
      })
    },
    async stop() {
      for (const child of children) await end(child)
      await Promise.all([redis.stop(), postgres.stop()])
      removeHome(home)
    },
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await ended
}
