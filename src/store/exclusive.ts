import pg, { type Client, type Pool } from 'pg'

/** A process that is frozen says nothing any more; after so long Postgres gives its lock to others. */
const SILENT_MS = 10_000
const HEARTBEAT_MS = 2_000

/**
 * Does a piece of work that only one process is to do at a time; null when another is at it. The lock is a transaction's,
 * which a pooler keeps apart, on a connection of its own, so that the work may use all those of the pool. It ends with the
 * process. Whoever was frozen and goes on may find that another has begun meanwhile: `lost` says so, soon but not at once,
 * so the lock saves work and is not what keeps it right.
 */
export async function exclusively<T>(
  pool: Pool,
  name: string,
  work: (lost: AbortSignal) => Promise<T>,
): Promise<T | null> {
  const client = new pg.Client(pool.options)
  const lost = new AbortController()
  const lose = (error: Error) => lost.abort(error)
  client.on('error', lose)
  let heartbeat: NodeJS.Timeout | undefined
  let heardMs = performance.now()
  const beat = async () => {
    if (performance.now() - heardMs > SILENT_MS) return lose(new Error('Postgres said nothing for too long'))
    await client.query('select')
    heardMs = performance.now()
  }
  try {
    await client.connect()
    if (!(await lock(client, name))) return null
    heartbeat = setInterval(() => void beat().catch(lose), HEARTBEAT_MS)
    return await work(lost.signal)
  } finally {
    clearInterval(heartbeat)
    void client.end().catch(() => {}) // and with the connection its transaction; one that hangs is not waited for
  }
}

async function lock(client: Client, name: string): Promise<boolean> {
  await client.query(`begin; set local idle_in_transaction_session_timeout = ${SILENT_MS}`)
  const { rows } = await client.query<{ got: boolean }>('select pg_try_advisory_xact_lock(hashtext($1)) as got', [
    `millrace ${name}`,
  ])
  return rows[0]?.got ?? false
}
