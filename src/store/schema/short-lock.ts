/** Transactions that need a lock which readers and writers of a table get in the way of. */
import { untilLocked } from '../brief-lock.ts'
import type { Queryable } from '../checkpoint.ts'

/** Who may be in the way: the transaction that has been open for longest. */
export interface OpenTransaction {
  readonly pid: number
  readonly application: string
  readonly forMs: number
}

export interface ShortLockOptions {
  /** Most milliseconds for one statement; 0 for no limit. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
  /** Called for each attempt in vain after the first few. */
  readonly onBusy?: (oldest: OpenTransaction | null) => void
}

/**
 * Whoever wants to use a table queues behind a wait for its lock, so each wait is short, and repeated. Others that use
 * the log commit within milliseconds; one that doesn't, such as a report, is waited for in this way without harm.
 */
const LOCK_MS = 150
const QUIET_ATTEMPTS = 5
/** The lock was not free in time, or whoever has it waits for us. A statement that took too long would do so again. */
const BUSY = new Set(['55P03', '40P01'])

/** Runs in one transaction, from its beginning again while a lock isn't free. */
export function withShortLocks<T>(client: Queryable, options: ShortLockOptions, run: () => Promise<T>): Promise<T> {
  return whileBusy(client, options, async () => {
    try {
      await client.query(
        `begin; set local statement_timeout = ${Math.floor(options.timeoutMs)}; set local lock_timeout = ${LOCK_MS}`,
      )
      const result = await run()
      await client.query('commit')
      return result
    } catch (error) {
      await client.query('rollback').catch(() => {})
      throw error
    }
  })
}

/**
 * Runs again, after a pause, what failed for the lack of a lock.
 * @throws the signal's reason when it is aborted meanwhile
 */
export async function whileBusy<T>(
  client: Queryable,
  { signal, onBusy }: Pick<ShortLockOptions, 'signal' | 'onBusy'>,
  run: () => Promise<T>,
): Promise<T> {
  const isPassing = (error: unknown) => BUSY.has((error as { code?: string }).code ?? '')
  const tellOf = async (attempts: number) => {
    if (attempts >= QUIET_ATTEMPTS) onBusy?.(await oldestTransaction(client))
  }
  try {
    return await untilLocked(run, { signal, isPassing, onBusy: tellOf })
  } catch (error) {
    if (isPassing(error)) signal?.throwIfAborted() // the only reason to give up
    throw error
  }
}

async function oldestTransaction(client: Queryable): Promise<OpenTransaction | null> {
  const { rows } = await client.query<OpenTransaction>(
    `select pid, application_name as application, extract(epoch from now() - xact_start)::float8 * 1000 as "forMs"
     from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
       and application_name <> 'millrace-upgrade' and backend_type = 'client backend'
     order by xact_start limit 1`,
  )
  return rows[0] ?? null
}
