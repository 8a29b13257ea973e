/** A Postgres of our own: how its data folder is made, what it is told, and how it is asked whether it serves. */
import {
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import type { Readiness } from './child.ts'
import { DataVersionMismatch, ServerStartFailed } from './errors.ts'
import { findPostgres, type PostgresBinaries } from './postgres-binaries.ts'
import { type PostgresFolder, preparePostgresFolder } from './postgres-folder.ts'
import { run } from './run-command.ts'
import { secretIn } from './secret.ts'
import { type EmbeddedServer, serveOnFreePort } from './server.ts'
import type { Supervision } from './supervise.ts'

/** What may differ between the zero-set-up default, tests and benches. */
export interface PostgresOptions extends Supervision {
  /** Holds the data, the log and the password. As root it may become a link to a folder elsewhere. */
  readonly folder: string
  /** Default: the port of last time, else a free one. */
  readonly port?: number
  /** Server settings that add to, or replace, the ones below. */
  readonly settings?: Readonly<Record<string, string>>
  /** Default: those that npm installed. */
  readonly binaries?: PostgresBinaries
}

const DRAFT = 'data.new-'

const BUILTIN_LOCALE = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
const BUILTIN_SINCE = 17

/** Both the only role and the database. */
const NAME = 'millrace'

/**
 * Durable like any Postgres (fsync and synchronous_commit are its defaults, named since they carry the guarantee), and
 * otherwise sized for a laptop: 256 MB of cache; checkpoints rare enough that full-page images don't dominate the log
 * of writes.
 */
const SETTINGS = {
  fsync: 'on',
  synchronous_commit: 'on',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '256MB',
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  wal_compression: 'on',
  timezone: 'UTC',
  log_timezone: 'UTC',
}

/**
 * Starts it, made anew at the first time, and resolves when the database `millrace` answers.
 * @throws ServerMissing, DataVersionMismatch, HomeUnusable, ServerStartFailed
 */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedServer> {
  const place = preparePostgresFolder(options.folder, options.log)
  const binaries = options.binaries ?? findPostgres(place.runAs, options.log)
  const { folder, runAs } = place
  const data = join(folder, 'data')
  const password = secretIn(join(folder, 'password'))
  if (!existsSync(data)) await initialise(binaries, place)
  refuseOtherVersion(data, binaries.major)
  const settings = Object.entries({ ...SETTINGS, ...options.settings })
  const server = await serveOnFreePort(folder, options, (port) => ({
    url: urlOf(port, password, NAME),
    launch: {
      name: 'postgres',
      command: binaries.postgres,
      args: ['-D', data, '-p', String(port), ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      cwd: folder,
      env: environment(),
      runAs,
      logFile: join(folder, 'postgres.log'),
      pidFile: join(folder, 'process.json'),
      serverPidFile: join(data, 'postmaster.pid'),
      mark: data,
      stopSignal: 'SIGINT',
      prepare: () => disownStrangersPid(join(data, 'postmaster.pid')),
      probe: () => probe(port, password),
    },
  }))
  await createDatabase(urlOf(server.port, password, 'postgres')).catch(async (error: unknown) => {
    await server.stop()
    throw error
  })
  return server
}

/**
 * Makes the data folder beside its final place and moves it there whole: a start killed here begins again. The
 * collation compares bytes, so that no upgrade of the system's libraries reorders an index, but knows upper and lower
 * case of every alphabet.
 */
async function initialise(binaries: PostgresBinaries, { folder, runAs }: PostgresFolder): Promise<void> {
  for (const old of readdirSync(folder).filter((name) => name.startsWith(DRAFT))) {
    rmSync(join(folder, old), { recursive: true, force: true, maxRetries: 3 })
  }
  const draft = mkdtempSync(join(folder, DRAFT)) // a name of its own: the initdb of a killed parent may still write
  const passwordFile = join(folder, 'password')
  if (runAs !== null) for (const path of [draft, passwordFile]) chownSync(path, runAs.uid, runAs.gid)
  const locale = Number(binaries.major) >= BUILTIN_SINCE ? BUILTIN_LOCALE : ['--locale=C.UTF-8']
  const access = ['--username', NAME, '--pwfile', passwordFile, '--auth=scram-sha-256']
  const made = await run(binaries.initdb, ['-D', draft, '--encoding=UTF8', ...locale, ...access], {
    cwd: folder,
    runAs,
  })
  if (!made.ok) {
    const facts = { server: 'initdb', logFile: join(folder, 'postgres.log'), obstacle: null }
    const said = made.output.trim().split('\n').slice(-4).join(' | ')
    throw new ServerStartFailed(`Postgres could not make its data folder ${draft}: ${said}`, facts)
  }
  renameSync(draft, join(folder, 'data'))
}

function refuseOtherVersion(data: string, expected: string): void {
  const found = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim()
  if (found !== expected) throw new DataVersionMismatch({ folder: data, found, expected })
}

/**
 * After a crash Postgres refuses to start while any process of its user has the pid that it had, which in a container
 * happens at every other restart. No process of ours has it here, so the file gets the one pid that Postgres lets pass,
 * its parent's. The file is not removed: with the rest of it Postgres makes sure that no helper of the last one lives.
 */
function disownStrangersPid(file: string): void {
  if (!existsSync(file)) return
  const [, ...rest] = readFileSync(file, 'utf8').split('\n')
  writeFileSync(file, [process.pid, ...rest].join('\n'))
}

/** A variable such as PGDATA or PGPORT in the caller's environment must not reach it. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PG')))
}

function urlOf(port: number, password: string, database: string): string {
  return `postgresql://${NAME}:${password}@127.0.0.1:${port}/${database}`
}

async function probe(port: number, password: string): Promise<Readiness> {
  const client = new pg.Client({
    connectionString: urlOf(port, password, 'postgres'),
    connectionTimeoutMillis: 2_000,
  })
  client.on('error', () => {}) // it may die between connecting and closing; asked again then
  try {
    await client.connect()
    return { ready: true }
  } catch (error) {
    // 57P03: it answers, but is starting, recovering from a crash or shutting down.
    const starting = error instanceof pg.DatabaseError && error.code === '57P03'
    return { ready: false, progress: starting ? error.message : null }
  } finally {
    await client.end().catch(() => {})
  }
}

async function createDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [NAME])
    if (rowCount === 0) await client.query(`create database ${NAME}`)
  } finally {
    await client.end()
  }
}
