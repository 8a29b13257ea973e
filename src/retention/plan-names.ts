/** What would leave the log before its day does, by overrides that are shorter than the default. */
import type { Pool } from 'pg'
import { lookAtNamed } from '#src/store/retention/delete-named.ts'
import { isoDay, type LogDay, namesIn } from '#src/store/retention/log-days.ts'
import { type EventPolicy, keptFor, namesShortLived } from './policy.ts'
import { type Needing, whatNeedsNames } from './who-needs.ts'

/** Events that leave before their day does. */
export interface NamePlan {
  readonly day: number
  readonly date: string
  readonly table: string
  readonly name: string
  readonly keptMs: number
  /** Counted up to a bound. */
  readonly events: number
  /** Their share of the day's size. */
  readonly bytes: number
  readonly oldest: string | null
  readonly newest: string | null
  /** What keeps them, or some of them, from leaving now, in words; null when nothing does. */
  readonly waitsFor: string | null
}

export async function planNames(
  pool: Pool,
  day: LogDay,
  { policy, needing, now, most }: { policy: EventPolicy; needing: Needing; now: number; most: number },
): Promise<NamePlan[]> {
  const plans: NamePlan[] = []
  let needed: Promise<string | null> | undefined
  for (const name of namesShortLived(policy, await namesIn(pool, day.table))) {
    const { ms: keptMs } = keptFor(policy, name)
    const due = await lookAtNamed(pool, day.table, name, now - keptMs, most)
    if (due.events === 0) continue
    needed ??= whatNeedsNames(pool, day, needing)
    const waitsFor = await needed
    const bytes = Math.round((day.bytes * due.events) / Math.max(day.events, due.events)) // by statistics, which may lag
    plans.push({ day: day.day, date: isoDay(day.day), table: day.table, name, keptMs, ...due, bytes, waitsFor })
  }
  return plans
}
