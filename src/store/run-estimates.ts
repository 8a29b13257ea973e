/** What is estimated of runs, in seconds, as Postgres reckons it: how long they ran, and how late they were. */
import { Type } from '@sinclair/typebox'
import { TERMINAL_TYPES } from '#src/events/state.ts'
import { type CommonQueryMethods, type FragmentSqlToken, row, sql } from './sql.ts'

const OVER = sql.fragment`${sql.array([...TERMINAL_TYPES], 'text')}`

/** Seconds in states of the type RUNNING, with those of the one that lasts. The row is called `t`. */
export const estimatedRunTime = sql.fragment`
  (t.total_run_time + case when t.state_type = 'RUNNING'
    then greatest(0, extract(epoch from now() - t.state_timestamp)) else 0 end)`

/** Seconds by which a run began late, or is late by now; 0 for one that is over and never began. */
export const estimatedLateness = sql.fragment`
  greatest(0, coalesce(extract(epoch from
    case when t.start_time is not null then t.start_time
         when t.state_type = any(${OVER}) then t.expected_start_time
         else now() end - t.expected_start_time), 0))`

const Average = row(Type.Object({ lateness: Type.Union([Type.Number(), Type.Null()]) }))

/** Null when there are none. */
export async function averageLateness(db: CommonQueryMethods, where: FragmentSqlToken): Promise<number | null> {
  const found = await db.one(
    sql.type(Average)`select avg(${estimatedLateness})::float8 as lateness from flow_run t where ${where}`,
  )
  return found.lateness
}
