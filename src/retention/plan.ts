/** What would leave the log now, and what keeps the rest of it: looked at, nothing changed. */
import type { Pool } from 'pg'
import { openRebuilds } from '#src/store/rebuild/job.ts'
import { countNamed } from '#src/store/retention/delete-named.ts'
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
  standingBefore,
} from '#src/store/retention/log-days.ts'
import { type EventPolicy, hasShorter, keptFor, namesKept, namesShortLived } from './policy.ts'

/** A group that may still need events of a day: what it has to apply next was appended at this moment. */
export interface BehindInStream {
  readonly group: string
  readonly partition: number
  readonly nextMs: number
}

export interface PlanNeeds {
  readonly pool: Pool
  readonly policy: EventPolicy
  readonly nowMs: () => number
  /** Of each group and partition with entries not applied, the oldest of them. */
  behind(): Promise<readonly BehindInStream[]>
  /** Whether what deletions in a table of the log left behind has been cleared: it is found by them. */
  isFollowedUp(table: string): Promise<boolean>
}

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

/** Events that leave before their day does. */
export interface NamePlan {
  readonly date: string
  readonly table: string
  readonly name: string
  readonly keptMs: number
  /** Counted up to 100,000. */
  readonly events: number
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
const FOLLOW_UP = 'flow runs that were deleted then have left rows behind, which are cleared first'
/** The clocks of Redis and of senders may differ by so much. */
const CLOCKS_MS = 60_000

/** Looks at what would leave. */
export async function planLog(needs: PlanNeeds): Promise<LogPlan> {
  const { pool, policy, nowMs } = needs
  const now = nowMs()
  const all = await listDays(pool)
  const [held, behind, reading] = [await heldDays(pool, now), await needs.behind(), await rebuildUnderWay(pool)]
  const days: DayPlan[] = []
  const names: NamePlan[] = []
  for (const day of all) {
    if (isPast(day.day, policy, now)) {
      const plan = await planDay(needs, day, { heldUntilMs: held.get(day.day) ?? null, behind, reading }, now).catch(
        unlessGone,
      )
      if (plan !== null) days.push(plan)
    } else if (hasShorter(policy)) names.push(...(await planNames(pool, day, policy, now)))
  }
  return { days, names: reading === null ? names : [], unfinished: await detachedDays(pool), reading }
}

/** Whether a day ended so long ago that events without an override leave. */
export function isPast(day: number, { defaultMs }: EventPolicy, nowMs: number): boolean {
  return dayEndMs(day) + defaultMs <= nowMs
}

/** Who may still need events of the log. */
interface Needing {
  readonly heldUntilMs: number | null
  readonly behind: readonly BehindInStream[]
  readonly reading: string | null
}

async function planDay(needs: PlanNeeds, day: LogDay, needing: Needing, now: number): Promise<DayPlan | null> {
  const { pool, policy } = needs
  const names = await namesIn(pool, day.table)
  const kept = namesKept(policy, names, dayEndMs(day.day), now)
  if (names.length > 0 && kept.length === names.length) return null
  const waitsFor = await whatNeeds(needs, day, needing)
  const keptEvents = await countOfNames(pool, day.table, kept, COUNTED)
  return { ...day, date: isoDay(day.day), ...(await occurredIn(pool, day.table)), kept, keptEvents, waitsFor }
}

/** What still needs a day, in words. */
async function whatNeeds(
  { pool, policy, isFollowedUp }: PlanNeeds,
  day: LogDay,
  { heldUntilMs, behind, reading }: Needing,
): Promise<string | null> {
  if (heldUntilMs !== null) return `it is held until ${new Date(heldUntilMs).toISOString()}`
  if (reading !== null) return reading
  return (await whoNeeds(pool, day, policy, behind)) ?? ((await isFollowedUp(day.table)) ? null : FOLLOW_UP)
}

/** A rebuild reads the log from its beginning, and has looked at what is missing before it began. */
async function rebuildUnderWay(pool: Pool): Promise<string | null> {
  const working = (await openRebuilds(pool)).filter(({ state }) => state === 'requested' || state === 'running')
  const [names] = working.map((rebuild) => rebuild.names.join(', '))
  return names === undefined
    ? null
    : `the rebuild of ${names} reads the log: \`millrace projections ls\` says how far it is`
}

/**
 * The group or the projection that still needs a day, in words; null when all have passed it. A group has not, when its
 * checkpoint is before the day's last event, or when what it has to apply next was appended while such an event was
 * still taken at the door. A projection has not, when its table was left where it is and comes on from the log later.
 */
async function whoNeeds(
  pool: Pool,
  { day, table }: Pick<LogDay, 'day' | 'table'>,
  { defaultMs }: EventPolicy,
  behind: readonly BehindInStream[],
): Promise<string | null> {
  const [late] = await standingBefore(pool, table)
  if (late?.kind === 'projection')
    return `the table of '${late.name}' has not got all of it (partition ${late.partition}): the service projection-rebuilder brings it on, else \`millrace projections rebuild ${late.name}\``
  const waiting = behind.find(({ nextMs }) => nextMs <= dayEndMs(day) + defaultMs + CLOCKS_MS)
  const [group, partition] = [late?.name ?? waiting?.group, late?.partition ?? waiting?.partition]
  if (group === undefined) return null
  return `the group '${group}' has not applied all of it (partition ${partition}): start its service, or forget the group with \`millrace streams forget-group ${group}\``
}

async function planNames(pool: Pool, day: LogDay, policy: EventPolicy, now: number): Promise<NamePlan[]> {
  const plans: NamePlan[] = []
  for (const name of namesShortLived(policy, await namesIn(pool, day.table))) {
    const { ms } = keptFor(policy, name)
    const events = await countNamed(pool, day.table, name, now - ms, COUNTED)
    if (events > 0) plans.push({ date: isoDay(day.day), table: day.table, name, keptMs: ms, events })
  }
  return plans
}

/** Another run was faster. */
function unlessGone(error: { code?: string }): null {
  if (error.code === '42P01') return null
  throw error
}
