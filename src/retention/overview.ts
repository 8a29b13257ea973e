/** How large everything is, how fast the log grows, and what it will come to. */
import type { Pool } from 'pg'
import { dayOf } from '#src/store/day-partitions.ts'
import { isoDay, type LogDay, listDays, type Occurred, occurredIn } from '#src/store/retention/log-days.ts'
import { listPruned, type PrunedDay } from '#src/store/retention/pruned-day.ts'
import { type TableSize, tableSizes } from '#src/store/retention/table-sizes.ts'

export interface Sizes {
  /** The oldest first. */
  readonly days: LogDay[]
  /** Tables that are no day of the log, the largest first. */
  readonly tables: TableSize[]
  /** When the oldest event of the log occurred; null when it has none. */
  readonly oldest: string | null
  readonly growth: Growth
}

/** At the rate of today so far; early in the day, at that of yesterday. Overrides are not looked at. */
export interface Growth {
  readonly eventsPerDay: number
  readonly bytesPerDay: number
  /** What the log comes to when every day that is kept is like today. */
  readonly bytesAtRetention: number
}

export interface LogOverview {
  readonly days: { readonly date: string; readonly events: number; readonly bytes: number }[]
  readonly tables: TableSize[]
  readonly events: number
  readonly bytes: number
  readonly oldest: string | null
  readonly growth: Growth
  /** The last days that left, the latest first. */
  readonly pruned: PrunedDay[]
}

const DAY_MS = 86_400_000
/** Of a day that has just begun little can be said. */
const LEAST_MS = DAY_MS / 24
const PRUNED = 20

/** By Postgres' statistics, so it costs nothing however large the log is. */
export async function sizes(pool: Pool, retentionMs: number, nowMs: number): Promise<Sizes> {
  const days = await listDays(pool)
  return {
    days,
    tables: await tableSizes(pool),
    oldest: await oldestOf(pool, days),
    growth: growthOf(days, retentionMs, nowMs),
  }
}

export async function logOverview(pool: Pool, retentionMs: number, nowMs: number): Promise<LogOverview> {
  const { days, ...rest } = await sizes(pool, retentionMs, nowMs)
  return {
    days: days.map(({ day, events, bytes }) => ({ date: isoDay(day), events, bytes })),
    events: days.reduce((sum, { events }) => sum + events, 0),
    bytes: days.reduce((sum, { bytes }) => sum + bytes, 0),
    pruned: await listPruned(pool, PRUNED),
    ...rest,
  }
}

/** The oldest event is in the first day that has any, or in the default partition, which may have some from before that. */
async function oldestOf(pool: Pool, days: readonly LogDay[]): Promise<string | null> {
  const { oldest: stray } = await occurredIn(pool, 'event_default')
  for (const { table } of days) {
    const { oldest } = await occurredIn(pool, table).catch(unlessGone)
    if (oldest !== null) return stray !== null && stray < oldest ? stray : oldest
  }
  return stray
}

/** The day has left since the days were listed. */
function unlessGone(error: { readonly code?: string }): Occurred {
  if (error.code === '42P01') return { oldest: null, newest: null }
  throw error
}

/** @param days those of the log, with what their tables have */
export function growthOf(days: readonly LogDay[], retentionMs: number, nowMs: number): Growth {
  const sinceMidnight = nowMs % DAY_MS
  const measured = dayOf(nowMs) - (sinceMidnight < LEAST_MS ? 1 : 0)
  const share = sinceMidnight < LEAST_MS ? 1 : sinceMidnight / DAY_MS
  const { events, bytes } = days.find(({ day }) => day === measured) ?? { events: 0, bytes: 0 }
  const bytesPerDay = Math.round(bytes / share)
  return {
    eventsPerDay: Math.round(events / share),
    bytesPerDay,
    bytesAtRetention: Math.round(bytesPerDay * (Math.ceil(retentionMs / DAY_MS) + 1)), // a day stays until its end is past it
  }
}
