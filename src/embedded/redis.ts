/** A redis-server of our own: what it is told, and where it keeps things. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { findRedis, type RedisBinary } from './redis-binary.ts'
import { probeRedis } from './redis-probe.ts'
import { secretIn } from './secret.ts'
import { type EmbeddedServer, serveOnFreePort } from './server.ts'
import type { Supervision } from './supervise.ts'

/** What may differ between the zero-set-up default, tests and benches. */
export interface RedisOptions extends Supervision {
  /** Holds the data, the log and the password. */
  readonly folder: string
  /** Default: the port of last time, else a free one. */
  readonly port?: number
  /** Default: a generated one, kept in the folder. May have letters, digits, `-` and `_`. */
  readonly password?: string
  /** Lines of redis.conf that add to, or replace, the ones below. */
  readonly config?: Readonly<Record<string, string>>
  /** Default: found or fetched. */
  readonly binary?: RedisBinary
}

/** Of the machine's memory, or the container's: Postgres, Millrace and the rest of the machine live there too. */
const MEMORY_SHARE = 0.25

/**
 * An event acknowledged is an event on disk: every write is synced to the log before it is answered (batches make that
 * cheap). Nothing is ever evicted. Snapshots are off, the log holds all; it must be rewritten automatically, since
 * trimming a stream doesn't shorten it: unrewritten logs of 10 GB were seen within minutes of full load.
 */
const CONFIG = {
  bind: '127.0.0.1',
  'protected-mode': 'yes',
  daemonize: 'no',
  save: '""',
  appendonly: 'yes',
  appendfsync: 'always',
  'no-appendfsync-on-rewrite': 'no',
  'auto-aof-rewrite-percentage': '100',
  'auto-aof-rewrite-min-size': '64mb',
  'stop-writes-on-bgsave-error': 'no',
  'maxmemory-policy': 'noeviction',
  // The command line must go on showing the path of redis.conf: that is how a leftover is recognised.
  'set-proc-title': 'no',
}

/**
 * Starts it and resolves when it has loaded its data.
 * @throws ServerMissing, ServerTooOld, ServerStartFailed
 */
export async function startRedis(options: RedisOptions): Promise<EmbeddedServer> {
  const { folder } = options
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const binary = options.binary ?? (await findRedis({ log: options.log }))
  const password = options.password ?? secretIn(join(folder, 'password'))
  const conf = join(folder, 'redis.conf')
  const pidFile = join(folder, 'redis-server.pid')
  return serveOnFreePort(folder, options, (port) => {
    writeFileSync(
      conf,
      redisConf({
        ...CONFIG,
        maxmemory: String(memoryLimit()), // so that senders are refused in time, and the machine has no need to kill
        port: String(port),
        dir: quoted(folder),
        pidfile: quoted(pidFile),
        requirepass: password,
        ...options.config,
      }),
      { mode: 0o600 },
    )
    return {
      url: `redis://:${password}@127.0.0.1:${port}/0`,
      launch: {
        name: 'redis-server',
        command: binary.command,
        args: [conf],
        cwd: folder,
        env: { ...process.env, ...(binary.libraryPath !== null && { LD_LIBRARY_PATH: binary.libraryPath }) },
        runAs: null,
        logFile: join(folder, 'redis.log'),
        pidFile: join(folder, 'process.json'),
        serverPidFile: pidFile,
        mark: conf,
        stopSignal: 'SIGTERM',
        probe: () => probeRedis(port, password),
      },
    }
  })
}

function memoryLimit(): number {
  return Math.floor(Math.min(totalmem(), process.constrainedMemory() || totalmem()) * MEMORY_SHARE)
}

function redisConf(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('')
}

function quoted(value: string): string {
  return `"${value.replace(/["\\]/g, '\\$&')}"`
}
