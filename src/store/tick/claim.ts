/** Who runs a tick: Postgres decides, by a key that one row can have, and by its own clock. */
import type { Queryable } from '#src/store/checkpoint.ts'
import {
  BY_SCHEDULE,
  type HeldTick,
  type KeyRow,
  keyColumns,
  keyOf,
  keyText,
  MOMENT,
  type TickKey,
  TOLERANCE_MS,
} from './key.ts'

export interface Claim extends TickKey {
  /** No other tick of its job may run beside it. */
  readonly exclusive: boolean
}

export interface ClaimedTick extends HeldTick {
  /** How often it was begun, this time included. */
  readonly attempts: number
  /** The version of its job in force now. */
  readonly version: number
  /** How late it is by Postgres' clock. */
  readonly lateMs: number
}

export interface Claimer {
  readonly owner: string
  readonly leaseMs: number
}

interface ClaimRow extends KeyRow {
  fence: string
  attempts: number
  version: string
  late_ms: number
}

const RETURNING = `t.job, t.scheduled_for, t.origin, t.fence, t.attempts, t.version,
  (extract(epoch from clock_timestamp() - t.scheduled_for) * 1000)::float8 as late_ms`
const LEASE = "clock_timestamp() + $5 * interval '1 millisecond'"

/**
 * Takes ticks that have no row yet. What is missing in the answer is early, decided, in somebody's hands, or has others of its
 * job before it, which may not be passed by: `whyNotClaimed` tells.
 * Waits for nobody but a change of the job's schedule: each insert is a transaction by itself, and belongs to the version
 * before the change or the one after it.
 */
export async function claimNew(db: Queryable, claims: readonly Claim[], claimer: Claimer): Promise<ClaimedTick[]> {
  const { rows } = await db.query<ClaimRow>(
    `with ${MOMENT}
     insert into tick as t (job, scheduled_for, origin, version, state, exclusive, fence, attempts, owner, lease_until, started_at)
     select w.job, w.scheduled_for, w.origin, j.version, 'running', w.exclusive, 1, 1, $6, ${LEASE}, m.now
     from unnest($1::text[], $2::timestamptz[], $3::text[], $4::bool[]) as w(job, scheduled_for, origin, exclusive)
     cross join moment m join job j on j.name = w.job
     where w.scheduled_for <= m.now + interval '${TOLERANCE_MS} milliseconds' and w.scheduled_for > j.watermark
       and not (w.exclusive and exists (select from tick o where o.job = w.job and o.state = 'open'))
     order by w.job, w.scheduled_for
     for key share of j
     on conflict do nothing
     returning ${RETURNING}`,
    [...keyColumns(claims), claims.map(({ exclusive }) => exclusive), claimer.leaseMs, claimer.owner],
  )
  return rows.map(claimed)
}

/**
 * Takes over ticks that wait to be run, or whose holder's lease has run out. What is missing in the answer is decided, in
 * somebody's hands, or another one of its job runs and they may not run side by side.
 * @param claims of one job at most one that is exclusive
 */
export async function claimOpen(db: Queryable, claims: readonly Claim[], claimer: Claimer): Promise<ClaimedTick[]> {
  try {
    const { rows } = await db.query<ClaimRow>(
      `with ${MOMENT}, free as (
         select t.job, t.scheduled_for, t.origin, w.exclusive
         from unnest($1::text[], $2::timestamptz[], $3::text[], $4::bool[]) as w(job, scheduled_for, origin, exclusive)
         cross join moment m
         join tick t on t.job = w.job and t.scheduled_for = w.scheduled_for and t.origin = w.origin
         where t.state in ('open', 'running') and t.lease_until <= m.now
           and not (w.exclusive and exists (
             select from tick o where o.job = w.job and o.state = 'running' and o.exclusive
               and (o.scheduled_for, o.origin) <> (w.scheduled_for, w.origin)
           ))
         for update of t skip locked
       )
       update tick t set state = 'running', exclusive = f.exclusive, fence = t.fence + 1, attempts = t.attempts + 1, owner = $6,
         lease_until = ${LEASE}, started_at = coalesce(t.started_at, m.now), version = j.version
       from free f, job j, moment m
       where t.job = f.job and t.scheduled_for = f.scheduled_for and t.origin = f.origin and j.name = t.job
       returning ${RETURNING}`,
      [...keyColumns(claims), claims.map(({ exclusive }) => exclusive), claimer.leaseMs, claimer.owner],
    )
    return rows.map(claimed)
  } catch (error) {
    if ((error as { code?: string }).code !== '23505') throw error
    // tick_alone: another of one of these jobs was begun at this moment.
    if (claims.length <= 1) return []
    const found: ClaimedTick[] = []
    for (const claim of claims) found.push(...(await claimOpen(db, [claim], claimer)))
    return found
  }
}

/** Why a tick could not be taken. */
export type NotClaimed = 'decided' | 'busy' | 'alone' | 'early' | 'unknown job' | 'free'

/**
 * Looks why ticks could not be taken, in the order of `keys`: decided; held by somebody; another of the same job runs;
 * not due yet; of a job that is not in the database; or free by now.
 */
export async function whyNotClaimed(
  db: Queryable,
  keys: readonly TickKey[],
): Promise<{ why: NotClaimed; earlyMs: number }[]> {
  const { rows } = await db.query<KeyRow & { why: NotClaimed; early_ms: number }>(
    `select w.job, w.scheduled_for, w.origin,
       (extract(epoch from w.scheduled_for - clock_timestamp()) * 1000)::float8 as early_ms, case
       when j.name is null then 'unknown job'
       when t.state in ('done', 'skipped', 'failed') then 'decided'
       when t.job is null and w.origin = '${BY_SCHEDULE}' and w.scheduled_for <= j.watermark then 'decided'
       when w.scheduled_for > clock_timestamp() + interval '${TOLERANCE_MS} milliseconds' then 'early'
       when t.lease_until > clock_timestamp() then 'busy'
       when exists (
         select from tick o where o.job = w.job and o.state = 'running' and o.exclusive
           and (o.scheduled_for, o.origin) <> (w.scheduled_for, w.origin)
       ) then 'alone'
       else 'free' end as why
     from unnest($1::text[], $2::timestamptz[], $3::text[]) as w(job, scheduled_for, origin)
     left join job j on j.name = w.job
     left join tick t on t.job = w.job and t.scheduled_for = w.scheduled_for and t.origin = w.origin`,
    keyColumns(keys),
  )
  const found = new Map(rows.map((row) => [keyText(keyOf(row)), { why: row.why, earlyMs: Math.max(0, row.early_ms) }]))
  return keys.map((key) => found.get(keyText(key)) ?? { why: 'unknown job', earlyMs: 0 })
}

function claimed(row: ClaimRow): ClaimedTick {
  const { attempts, late_ms: lateMs } = row
  return { ...keyOf(row), fence: Number(row.fence), version: Number(row.version), attempts, lateMs }
}
