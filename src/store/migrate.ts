import { readdirSync, readFileSync } from 'node:fs'
import { Client } from 'pg'
import { SchemaTooNew, StoreUnavailable } from '#src/errors.ts'

/** A migration that a database does not have yet. */
export interface PendingMigration {
  readonly name: string
  /** The first comment of its file. */
  readonly why: string
}

export interface MigrationStatus {
  /** Name of the newest migration the database has; null for an empty one. */
  readonly current: string | null
  readonly pending: readonly PendingMigration[]
  /** The database has migrations that this release does not know. */
  readonly tooNew: boolean
}

export interface MigrateOptions {
  /** Most milliseconds for one statement; 0 for no limit. */
  readonly timeoutMs: number
  readonly onProgress?: (name: string) => void
}

const DIRECTORY = new URL('../../migrations/', import.meta.url)
const FILE = /^\d{4}_[a-z0-9_]+\.sql$/
/** Names the lock that lets one process migrate while the others wait; any number, but always the same. */
const LOCK = 0x6d696c6c

/** What a database has and lacks, without changing it. @throws StoreUnavailable */
export async function migrationStatus(databaseUrl: string): Promise<MigrationStatus> {
  return withClient(databaseUrl, status)
}

/**
 * Brings the schema up to this release: each missing file in a transaction of its own. Any number of processes may call
 * it at once: one works, the others wait for it and then find nothing to do.
 * @throws SchemaTooNew when the database is ahead of this release
 * @throws StoreUnavailable
 */
export async function migrate(databaseUrl: string, options: MigrateOptions): Promise<{ applied: string[] }> {
  return withClient(databaseUrl, async (client) => {
    const applied: string[] = []
    for (;;) {
      // The lock is held by the transaction, not the session, so that a pooler in between does no harm.
      await client.query(`begin; set local statement_timeout = 0; select pg_advisory_xact_lock(${LOCK})`)
      try {
        await client.query(`set local statement_timeout = ${Math.floor(options.timeoutMs)}`)
        await client.query(
          'create table if not exists migration (name text primary key, applied_at timestamptz not null default now())',
        )
        const { pending, tooNew, current } = await status(client)
        if (tooNew) throw new SchemaTooNew({ found: current ?? '', newestKnown: files().at(-1) ?? null })
        const next = pending[0]
        if (next === undefined) {
          await client.query('commit')
          return { applied }
        }
        options.onProgress?.(next.name)
        await client.query(readFileSync(new URL(`${next.name}.sql`, DIRECTORY), 'utf8'))
        await client.query('insert into migration (name) values ($1)', [next.name])
        await client.query('commit')
        applied.push(next.name)
      } catch (error) {
        await client.query('rollback').catch(() => {})
        throw error
      }
    }
  })
}

async function status(client: Client): Promise<MigrationStatus> {
  const { rows: found } = await client.query<{ there: boolean }>(`select to_regclass('migration') is not null as there`)
  const { rows } = found[0]?.there
    ? await client.query<{ name: string }>('select name from migration order by name')
    : { rows: [] }
  const has = new Set(rows.map((row) => row.name))
  const known = files()
  return {
    current: rows.at(-1)?.name ?? null,
    pending: known.filter((name) => !has.has(name)).map((name) => ({ name, why: whyOf(name) })),
    tooNew: rows.some(({ name }) => !known.includes(name)),
  }
}

function files(): string[] {
  return readdirSync(DIRECTORY)
    .filter((name) => FILE.test(name))
    .map((name) => name.slice(0, -'.sql'.length))
    .sort()
}

function whyOf(name: string): string {
  const [first = ''] = readFileSync(new URL(`${name}.sql`, DIRECTORY), 'utf8').split('\n')
  return first.replace(/^--\s*/, '')
}

async function withClient<T>(databaseUrl: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: 10_000,
    application_name: 'millrace-migrate',
  })
  client.on('error', () => {}) // the statement under way fails with it
  try {
    await client.connect()
  } catch (error) {
    throw new StoreUnavailable(
      `Postgres does not answer (${(error as Error).message}): start it, or correct MILLRACE_DATABASE_URL.`,
      { cause: error },
    )
  }
  try {
    return await use(client)
  } finally {
    await client.end().catch(() => {})
  }
}
