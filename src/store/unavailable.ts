/** Tells the faults of the way to Postgres from those of a statement. */
import {
  BackendTerminatedError,
  BackendTerminatedUnexpectedlyError,
  ConnectionError,
  StatementTimeoutError,
} from 'slonik'
import { AppError, StoreUnavailable } from '#src/errors.ts'

/** Classes of SQLSTATE that say "not now": connection lost, resources short, shutting down, starting, system error. */
const SQLSTATES = /^(08|53|57P|58)/
/** Read-only: the primary became a standby. A failed login: passwords are changed while servers run. */
const MORE_SQLSTATES = new Set(['25006', '28000', '28P01', '3D000'])
const ERRNOS = /^(ECONN|EPIPE$|ETIMEDOUT$|ENOTFOUND$|EAI_AGAIN$|EHOSTUNREACH$|ENETUNREACH$|ENOENT$|EACCES$)/
/** What pg says in plain errors without a code. */
const SENTENCES =
  /connection terminated|timeout exceeded when trying to connect|query read timeout|client was closed|not queryable|connection is closed|being (terminated|shut down)|has ended|client is (pending )?destroy/i

/** Whether an error of pg, or its cause, says that the server can't be reached or won't serve now. */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return (
    SQLSTATES.test(code) ||
    MORE_SQLSTATES.has(code) ||
    ERRNOS.test(code) ||
    error instanceof ConnectionError ||
    error instanceof BackendTerminatedError ||
    error instanceof BackendTerminatedUnexpectedlyError ||
    SENTENCES.test(error.message) ||
    (error instanceof AggregateError && error.errors.some(isConnectionError))
  )
}

/**
 * The error to hand on: StoreUnavailable in place of what says that Postgres can't be reached, or that it took longer
 * than a statement may; any other error as it is, since trying again won't help. For every use of a pool's client.
 */
export function storeError(error: unknown): unknown {
  if (error instanceof AppError) return error
  if (isTimeout(error)) {
    const remedy = 'try again later, or raise MILLRACE_DATABASE_TIMEOUT'
    return new StoreUnavailable(`Postgres took longer over a statement than it may: ${remedy}.`, { cause: error })
  }
  if (!isConnectionError(error)) return error
  return new StoreUnavailable(`Postgres does not answer (${reasonOf(error as Error)}): try again later.`, {
    cause: error,
  })
}

/** Whether what `storeError` gave says that Postgres was away: not that a statement took too long, which may be its own fault. */
export function saysAway(error: unknown): boolean {
  return error instanceof StoreUnavailable && !isTimeout(error.cause)
}

function isTimeout(error: unknown): boolean {
  return error instanceof StatementTimeoutError || (error instanceof Error && 'code' in error && error.code === '57014')
}

function reasonOf(error: Error): string {
  const inner = error instanceof AggregateError ? error.errors[0] : error.cause
  return error.message || (inner instanceof Error ? inner.message : error.name)
}
