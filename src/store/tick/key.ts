/** The name of a row of the ledger. */
export interface TickKey {
  readonly job: string
  /** Milliseconds since 1970. */
  readonly scheduledForMs: number
  /** `schedule`; else `manual:<uuid>` or `backfill:<uuid>`, for ticks that somebody asked for. */
  readonly origin: string
}

/** The right to write a row: whoever takes the row anew raises the fence. */
export interface HeldTick extends TickKey {
  readonly fence: number
}

export const BY_SCHEDULE = 'schedule'

/** How early a tick may be taken: as much as the clocks of servers that are kept in step may differ. */
export const TOLERANCE_MS = 100

/** One look at the clock: by what makes a tick due it is begun as well, even if the clock is set back within the statement. */
export const MOMENT = 'moment as materialized (select clock_timestamp() as now)'

/** Three arrays for `unnest($1::text[], $2::timestamptz[], $3::text[])`. */
export function keyColumns(keys: readonly TickKey[]): [string[], string[], string[]] {
  return [
    keys.map(({ job }) => job),
    keys.map(({ scheduledForMs }) => new Date(scheduledForMs).toISOString()),
    keys.map(({ origin }) => origin),
  ]
}

/** The same for two keys exactly if they name the same row. */
export function keyText({ job, scheduledForMs, origin }: TickKey): string {
  return `${job}@${scheduledForMs}@${origin}`
}

export interface KeyRow {
  readonly job: string
  readonly scheduled_for: Date
  readonly origin: string
}

export function keyOf(row: KeyRow): TickKey {
  return { job: row.job, scheduledForMs: row.scheduled_for.getTime(), origin: row.origin }
}
