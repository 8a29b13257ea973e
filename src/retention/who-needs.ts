/** Who still needs a part of the log, in words. */
import type { Pool } from 'pg'
import { openRebuilds } from '#src/store/rebuild/job.ts'
import { type Behind, dayEndMs, type LogDay, standingBefore } from '#src/store/retention/log-days.ts'
import type { BehindInStream, PlanNeeds } from './plan-needs.ts'
import type { EventPolicy } from './policy.ts'

/** Who may still need events of a day, as far as it was asked for all days at once. */
export interface Needing {
  readonly heldUntilMs: number | null
  readonly behind: readonly BehindInStream[]
  /** What reads the whole log. */
  readonly reading: string | null
}

const FOLLOW_UP = 'runs that were deleted then have left rows behind, which are cleared first'
/** The clocks of Redis and of senders may differ by so much. */
const CLOCKS_MS = 60_000

/** What keeps a day from leaving; null when nothing does. */
export async function whatNeedsDay(
  { pool, policy, isFollowedUp }: PlanNeeds,
  day: LogDay,
  needing: Needing,
): Promise<string | null> {
  return (
    holdsAll(needing) ??
    (await whoNeeds(pool, day, policy, needing.behind)) ??
    ((await isFollowedUp(day.table)) ? null : FOLLOW_UP)
  )
}

/** What keeps events of names from leaving before their day, all of them or some; null when nothing does. */
export async function whatNeedsNames(pool: Pool, { table }: LogDay, needing: Needing): Promise<string | null> {
  const all = holdsAll(needing)
  if (all !== null) return all
  const [late] = await standingBefore(pool, table)
  return late === undefined ? null : `some wait: ${lateness(late)}`
}

/** A rebuild reads the log from its beginning, and has looked at what is missing before it began. */
export async function rebuildUnderWay(pool: Pool): Promise<string | null> {
  const working = (await openRebuilds(pool)).filter(({ state }) => state === 'requested' || state === 'running')
  const [names] = working.map((rebuild) => rebuild.names.join(', '))
  return names === undefined
    ? null
    : `the rebuild of ${names} reads the log: \`millrace projections ls\` says how far it is`
}

function holdsAll({ heldUntilMs, reading }: Needing): string | null {
  return heldUntilMs === null ? reading : `it is held until ${new Date(heldUntilMs).toISOString()}`
}

/**
 * The group or the projection that still needs a day; null when all have passed it. A group has not, when its checkpoint is
 * before the day's last event, or when what it has to apply next was appended while such an event was still taken at the
 * door. A projection has not, when its table was left where it is and comes on from the log later.
 */
async function whoNeeds(
  pool: Pool,
  { day, table }: Pick<LogDay, 'day' | 'table'>,
  { defaultMs }: EventPolicy,
  behind: readonly BehindInStream[],
): Promise<string | null> {
  const [late] = await standingBefore(pool, table)
  if (late?.kind === 'projection') return lateness(late)
  const waiting = behind.find(({ nextMs }) => nextMs <= dayEndMs(day) + defaultMs + CLOCKS_MS)
  const first = late ?? (waiting && { kind: 'group', name: waiting.group, partition: waiting.partition })
  return first === undefined ? null : lateness(first)
}

function lateness({ kind, name, partition }: Behind): string {
  return kind === 'projection'
    ? `the table of '${name}' has not got all of it (partition ${partition}): the service projection-rebuilder brings it on, else \`millrace projections rebuild ${name}\``
    : `the group '${name}' has not applied all of it (partition ${partition}): start its service, or forget the group with \`millrace streams forget-group ${name}\``
}
