/** PgBouncer for the tests: the one in PATH, else the one fetched earlier, else Debian's own build, not installed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import pg from 'pg'
import { freePort } from '#src/embedded/free-port.ts'
import { run } from '#src/embedded/run-command.ts'
import { waitUntil } from '../wait-until.ts'
import { debianPackages } from './debian-package.ts'
import { makeTemporaryHome, removeHome } from './temporary-home.ts'

/** From bookworm. */
const PACKAGES = {
  name: 'pgbouncer-1.18.0',
  pool: 'http://deb.debian.org/debian/pool/main/p/pgbouncer/',
  files: {
    'pgbouncer_1.18.0-1+deb12u1_amd64.deb': 'b8468c31f94596da0967b1a27980a0a036268eb8e53d3e647651bd7b82b6f65e',
  },
  libraries: ['libc-ares2', 'libevent-2.1-7'],
}

export interface PgBouncerBinary {
  readonly command: string
  readonly libraryPath: string | null
}

/** One to start, or in words why there is none. */
export async function findPgBouncer(): Promise<PgBouncerBinary | string> {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']) {
    const command = join(folder, 'pgbouncer')
    if ((await run(command, ['--version'])).ok) return { command, libraryPath: null }
  }
  try {
    const { root, libraryPath } = await debianPackages(PACKAGES)
    const command = join(root, 'usr/sbin/pgbouncer')
    const { ok, output } = await run(command, ['--version'], { env: { LD_LIBRARY_PATH: libraryPath } })
    return ok ? { command, libraryPath } : `the pgbouncer fetched from Debian does not run here: ${output}`
  } catch (error) {
    return `there is no pgbouncer in PATH, and none could be fetched: ${(error as Error).message}`
  }
}

export interface PgBouncer {
  /** The same database, through it. */
  readonly url: string
  stop(): Promise<void>
}

/**
 * Starts one in transaction mode before a Postgres.
 * @param connections of it to Postgres: with fewer than there are clients these share them
 */
export async function startPgBouncer(
  { command, libraryPath }: PgBouncerBinary,
  databaseUrl: string,
  connections: number,
): Promise<PgBouncer> {
  const home = makeTemporaryHome()
  const port = await freePort()
  const { hostname, port: behind, username, password } = new URL(databaseUrl)
  writeFileSync(
    join(home, 'pgbouncer.ini'),
    `[databases]
* = host=${hostname} port=${behind} user=${username} password=${decodeURIComponent(password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${connections}
max_client_conn = 500
server_lifetime = 3600
${process.getuid?.() === 0 ? 'user = nobody' : ''}
`,
  )
  const child = spawn(command, ['-q', join(home, 'pgbouncer.ini')], {
    env: { ...process.env, ...(libraryPath !== null && { LD_LIBRARY_PATH: libraryPath }) },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (text: Buffer) => {
    said += text
  })
  const ended = once(child, 'exit')
  const stop = async () => {
    child.kill('SIGKILL')
    await ended
    removeHome(home)
  }
  const url = new URL(databaseUrl)
  url.port = String(port)
  try {
    await waitUntil(() => child.exitCode !== null || answers(url.href), { what: 'pgbouncer to answer' })
    if (child.exitCode !== null) throw new Error(`pgbouncer ended at its start: ${said}`)
  } catch (error) {
    await stop()
    throw error
  }
  return { url: url.href, stop }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  await client.end()
  return true
}
