/** Days of the log that should be there, and events that lie in none of them. */
import type { Queryable } from '#src/store/checkpoint.ts'
import { DAYS_AHEAD, dayOf, dayTable, isAttached } from '#src/store/day-partitions.ts'
import { type Finding, type Limits, millrace, psql } from '../finding.ts'

const REPAIR = millrace('database repair -y   # and see that the service log-partitions runs')

export async function days(db: Queryable, limits: Limits, nowMs: number): Promise<Finding[]> {
  const { rows } = await db.query<{ there: boolean }>(`select to_regclass('event') is not null as there`)
  if (!rows[0]?.there) return [] // which is a finding of the schema's
  const today = dayOf(nowMs)
  return [...(await missingDays(db, today)), ...(await waitingEvents(db, today)), ...(await eventsAhead(db, limits))]
}

async function missingDays(db: Queryable, today: number): Promise<Finding[]> {
  const missing: string[] = []
  for (let day = today; day <= today + DAYS_AHEAD; day++)
    if (!(await isAttached(db, dayTable(day)))) missing.push(dayTable(day))
  if (missing.length === 0) return []
  const what = `it has no ${missing.join(', ')}: the persister has to make each day when its first event comes`
  return [{ check: 'missing-days', level: 'warning', subject: 'table event', what, remedy: REPAIR }]
}

async function waitingEvents(db: Queryable, today: number): Promise<Finding[]> {
  const { rows } = await db.query<{ oldest: string }>(
    `select to_char(occurred at time zone 'UTC', 'YYYY-MM-DD') as oldest from event_default
     where occurred < to_timestamp(($1::float8 + 1) * 86400) order by occurred limit 1`,
    [today + DAYS_AHEAD],
  )
  if (rows[0] === undefined) return []
  const what = `events of ${rows[0].oldest} and perhaps later days are in it, so that they don't leave with their day`
  return [{ check: 'default-partition', level: 'warning', subject: 'table event_default', what, remedy: REPAIR }]
}

async function eventsAhead(db: Queryable, { aheadEvents }: Limits): Promise<Finding[]> {
  const { rows } = await db.query<{ count: number }>(
    `select greatest(reltuples, pg_stat_get_live_tuples(oid), 0)::float8 as count from pg_class where oid = 'event_default'::regclass`,
  )
  const count = rows[0]?.count ?? 0
  if (count < aheadEvents) return []
  const what = `about ${count} events are dated further ahead than ${DAYS_AHEAD} days, and each new day looks through them: a sender's clock is wrong`
  const who = 'select resource_id, count(*), max(occurred) from event_default group by 1 order by 2 desc limit 10'
  return [{ check: 'events-ahead', level: 'warning', subject: 'table event_default', what, remedy: psql(who) }]
}
