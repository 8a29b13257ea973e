/** What would leave the log now, and what keeps the rest of it: looked at, nothing changed. */
import { type DetachedDay, detachedDays } from '#src/store/retention/detach-day.ts'
import { heldDays } from '#src/store/retention/held-day.ts'
import {
  countOfNames,
  dayEndMs,
  isoDay,
  type LogDay,
  listDays,
  namesIn,
  occurredIn,
} from '#src/store/retention/log-days.ts'
import { type NamePlan, planNames } from './plan-names.ts'
import type { PlanNeeds } from './plan-needs.ts'
import { type EventPolicy, hasShorter, namesKept } from './policy.ts'
import { type Needing, rebuildUnderWay, whatNeedsDay } from './who-needs.ts'

/** A day that has passed its retention, in whole or in part. */
export interface DayPlan extends LogDay {
  /** `2026-11-01`. */
  readonly date: string
  readonly oldest: string | null
  readonly newest: string | null
  /** Names that stay, by overrides. */
  readonly kept: string[]
  /** Events of these names, counted up to 100,000. */
  readonly keptEvents: number
  /** What keeps it from leaving now, in words; null when nothing does. */
  readonly waitsFor: string | null
}

/** All that would leave now. */
export interface LogPlan {
  readonly days: DayPlan[]
  readonly names: NamePlan[]
  /** Detached before, and not archived and dropped yet. */
  readonly unfinished: DetachedDay[]
  /** What reads the whole log at this moment, in words: until it ends nothing leaves. */
  readonly reading: string | null
}

const COUNTED = 100_000

/** Looks at what would leave. */
export async function planLog(needs: PlanNeeds): Promise<LogPlan> {
  const { pool, policy, nowMs } = needs
  const now = nowMs()
  const all = await listDays(pool)
  const [held, behind, reading] = [await heldDays(pool, now), await needs.behind(), await rebuildUnderWay(pool)]
  const days: DayPlan[] = []
  const names: NamePlan[] = []
  for (const day of all) {
    const needing = { heldUntilMs: held.get(day.day) ?? null, behind, reading }
    if (isPast(day.day, policy, now)) {
      const plan = await planDay(needs, day, needing, now).catch(unlessGone)
      if (plan !== null) days.push(plan)
    } else if (hasShorter(policy)) names.push(...(await planNames(pool, day, { policy, needing, now, most: COUNTED })))
  }
  return { days, names, unfinished: await detachedDays(pool), reading }
}

/** Whether a day ended so long ago that events without an override leave. */
export function isPast(day: number, { defaultMs }: EventPolicy, nowMs: number): boolean {
  return dayEndMs(day) + defaultMs <= nowMs
}

async function planDay(needs: PlanNeeds, day: LogDay, needing: Needing, now: number): Promise<DayPlan | null> {
  const { pool, policy } = needs
  const names = await namesIn(pool, day.table)
  const kept = namesKept(policy, names, dayEndMs(day.day), now)
  if (names.length > 0 && kept.length === names.length) return null
  const waitsFor = await whatNeedsDay(needs, day, needing)
  const keptEvents = await countOfNames(pool, day.table, kept, COUNTED)
  return { ...day, date: isoDay(day.day), ...(await occurredIn(pool, day.table)), kept, keptEvents, waitsFor }
}

/** Another run was faster. */
function unlessGone(error: { code?: string }): null {
  if (error.code === '42P01') return null
  throw error
}
