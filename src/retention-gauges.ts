/** Gauges of what retention saw last, in this process. */
import { Gauge, type Registry } from 'prom-client'

/** What there is in the database. */
export interface Measured {
  readonly days: readonly { readonly table: string; readonly events: number; readonly bytes: number }[]
  readonly tables: readonly { readonly table: string; readonly rows: number; readonly bytes: number }[]
  /** Null when the log is empty. */
  readonly oldestSeconds: number | null
  readonly growthBytes: number
  readonly forecastBytes: number
}

export interface RetentionGauges {
  seen(measured: Measured): void
  /** Days that are due and could not leave. */
  waiting(days: number): void
}

/** Rounds are 10 minutes apart, now in this process, now in that: after so long without one this process is silent. */
const FRESH_MS = 25 * 60_000

/** Something that is said for a while. */
interface Said<T> {
  readonly value: T
  readonly untilMs: number
}

type Labelled = readonly (readonly [table: string, value: number])[]

/** @param nowMs milliseconds since any moment */
export function createRetentionGauges(registers: Registry[], nowMs = () => performance.now()): RetentionGauges {
  let measured: Said<Measured> | null = null
  let waiting: Said<number> | null = null
  const fresh = <T>(said: Said<T> | null): T | null => (said !== null && nowMs() < said.untilMs ? said.value : null)

  function byTable(name: string, help: string, of: (measured: Measured) => Labelled): void {
    new Gauge<'table'>({
      name,
      help,
      labelNames: ['table'],
      registers,
      collect() {
        this.reset()
        const now = fresh(measured)
        for (const [table, value] of now === null ? [] : of(now)) this.set({ table }, value)
      },
    })
  }

  function single(name: string, help: string, look: () => number | null | undefined): void {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        const value = look() ?? null
        if (value === null) this.remove()
        else this.set(value)
      },
    })
  }

  byTable(
    'millrace_log_events',
    "Events in a day's table of the log, by Postgres' statistics, as retention last looked.",
    ({ days }) => days.map(({ table, events }) => [table, events]),
  )
  byTable(
    'millrace_log_bytes',
    "Size of a day's table of the log with its indexes, as retention last looked.",
    ({ days }) => days.map(({ table, bytes }) => [table, bytes]),
  )
  byTable(
    'millrace_table_rows',
    "Rows of each table that is no day of the log, by Postgres' statistics, as retention last looked.",
    ({ tables }) => tables.map(({ table, rows }) => [table, rows]),
  )
  byTable('millrace_table_bytes', 'Size of such a table with its indexes.', ({ tables }) =>
    tables.map(({ table, bytes }) => [table, bytes]),
  )
  single(
    'millrace_log_oldest_seconds',
    'How long ago the oldest event of the log occurred, as retention last looked.',
    () => fresh(measured)?.oldestSeconds,
  )
  single(
    'millrace_log_growth_bytes_per_day',
    'How much the log grows in a day at the rate of today so far.',
    () => fresh(measured)?.growthBytes,
  )
  single(
    'millrace_log_forecast_bytes',
    'What the log comes to when every day that is kept is like today.',
    () => fresh(measured)?.forecastBytes,
  )
  single('millrace_retention_waiting_days', 'Days that are past retention and could not leave in the last round.', () =>
    fresh(waiting),
  )
  return {
    seen(value) {
      measured = { value, untilMs: nowMs() + FRESH_MS }
      if (waiting !== null) waiting = { ...waiting, untilMs: measured.untilMs } // this process is still at it
    },
    waiting(value) {
      waiting = { value, untilMs: nowMs() + FRESH_MS }
    },
  }
}
