import { AppError } from '#src/errors.ts'

/** What to do about a failure: try the same again later, or find the event that is to blame and set it aside. */
export type Disposition = 'retry' | 'park'

/**
 * SQLSTATE classes and codes that blame the data, so that the same batch would fail for ever: data exception, integrity
 * violation, program limit exceeded (a row too large for an index).
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const BLAMES_DATA = /^(22|23|54)/
/** The log checks nothing but what belongs into which of its partitions, and these are made and exchanged meanwhile. */
const OF_LOG = /^event(_default|_\d{8})?$/

/** The one table from a failure to what follows from it. */
export function dispositionOf(error: unknown): Disposition {
  if (error instanceof AppError || error instanceof Passing) return 'retry'
  const { code: given, table } = (error ?? {}) as { code?: unknown; table?: unknown }
  const code = String(given ?? '')
  if (code === '23514' && typeof table === 'string' && OF_LOG.test(table)) return 'retry'
  // Other codes of Postgres pass (connections, locks, memory) or are about this release and schema, not about an event.
  if (blamesData(error)) return 'park'
  // Errors of sockets carry a code such as ECONNRESET; what a handler throws by itself carries none.
  return code === '' && !isConnectionError(error) ? 'park' : 'retry'
}

/** Postgres refuses what it is given, and would whenever it is tried. */
export function blamesData(error: unknown): boolean {
  return BLAMES_DATA.test(String((error as { code?: unknown } | null)?.code ?? ''))
}

/** A failure that says nothing about the events: a lost race, a vanished group. */
export abstract class Passing extends Error {}

function isConnectionError(error: unknown): boolean {
  return error instanceof Error && /connection|terminat|timeout|timed out/i.test(error.message)
}
