/** The connections with which a schema is changed: its own, apart from the pools, and possibly through a pooler. */
import pg from 'pg'
import { StoreUnavailable } from '#src/errors.ts'

export interface Session {
  readonly client: pg.Client
  /** Aborted when the connection is lost. */
  readonly lost: AbortSignal
  /** A pooler stands between, so that two statements outside of a transaction may run on two connections. */
  readonly pooled: boolean
  /**
   * Gives what runs outside of transactions this limit in place of the role's. Behind a pooler nothing may be set for a
   * session: there the role's own limit stays.
   */
  limit(timeoutMs: number): Promise<void>
  end(): Promise<void>
}

const CONNECT_MS = 10_000

/** @throws StoreUnavailable */
export async function openSession(url: string): Promise<Session> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS,
    application_name: 'millrace-upgrade',
    keepAlive: true,
  })
  const lost = new AbortController()
  const lose = () =>
    lost.abort(new StoreUnavailable('The connection to Postgres was lost during the upgrade: run it again.'))
  client.on('error', lose) // the statement under way fails with it
  client.on('end', lose)
  try {
    await client.connect()
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
    // A pooler makes its clients' keys up: only Postgres itself names the process that really serves us.
    const pooled = (client as pg.Client & { readonly processID?: number }).processID !== rows[0]?.pid
    return {
      client,
      lost: lost.signal,
      pooled,
      async limit(timeoutMs) {
        if (pooled) return
        await client.query(
          `select set_config(name, case name when 'statement_timeout' then $1 else '0' end, false) from pg_settings
           where name in ('statement_timeout', 'lock_timeout', 'transaction_timeout')`,
          [String(Math.floor(timeoutMs))],
        )
      },
      end: () => client.end().catch(() => {}),
    }
  } catch (error) {
    await client.end().catch(() => {})
    throw new StoreUnavailable(
      `Postgres does not answer (${(error as Error).message}): start it, or correct MILLRACE_DATABASE_URL.`,
      { cause: error },
    )
  }
}

/** Opens one for as long as it is used. @throws StoreUnavailable */
export async function withSession<T>(url: string, use: (session: Session) => Promise<T>): Promise<T> {
  const session = await openSession(url)
  try {
    return await use(session)
  } finally {
    await session.end()
  }
}
