import { type Static, Type } from '@sinclair/typebox'
import { estimatedLateness, estimatedRunTime } from './run-estimates.ts'
import { type CommonQueryMethods, type FragmentSqlToken, row, sql } from './sql.ts'

/** A span of time that is cut into intervals; canonical instants. */
export interface HistoryRange {
  readonly start: string
  readonly end: string
  readonly intervalSeconds: number
}

/** Bars that are drawn at most, as by Prefect's server. */
const MAX_INTERVALS = 500

/** Runs of an interval, by state; seconds. */
export const StateCount = Type.Object({
  state_type: Type.String(),
  state_name: Type.String(),
  count_runs: Type.Integer(),
  sum_estimated_run_time: Type.Number(),
  sum_estimated_lateness: Type.Number(),
})
/** Instants canonical. */
export const HistoryInterval = Type.Object({
  interval_start: Type.String(),
  interval_end: Type.String(),
  states: Type.Array(StateCount),
})
export type HistoryInterval = Static<typeof HistoryInterval>
const Counted = row(Type.Object({ ...HistoryInterval.properties, states: Type.String() })) // JSON comes as its text

const iso = (instant: FragmentSqlToken) =>
  sql.fragment`to_char(${instant} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`

/** Runs by when they were expected to start and by their state, for every interval, also where there are none. */
export async function runHistory(
  db: CommonQueryMethods,
  table: 'flow_run' | 'task_run',
  where: FragmentSqlToken,
  { start, end, intervalSeconds }: HistoryRange,
): Promise<HistoryInterval[]> {
  const found = await db.any(sql.type(Counted)`
    with span as (
      select ${start}::timestamptz as first, ${end}::timestamptz as last, make_interval(secs => ${intervalSeconds}::float8) as width
    ),
    bar as (
      select i, first + i * width as begins, first + (i + 1) * width as ends
      from span, generate_series(0, ${MAX_INTERVALS - 1}) i where first + i * width < last
    ),
    counted as (
      select floor(extract(epoch from t.expected_start_time - span.first) / ${intervalSeconds}::float8)::int4 as i,
        t.state_type, t.state_name, count(*)::int4 as count_runs,
        sum(${estimatedRunTime})::float8 as sum_estimated_run_time,
        sum(${estimatedLateness})::float8 as sum_estimated_lateness
      from ${sql.identifier([table])} t, span
      where ${where} and t.state_type is not null and t.expected_start_time >= span.first
        and t.expected_start_time < (select max(ends) from bar)
      group by 1, 2, 3
    )
    select ${iso(sql.fragment`bar.begins`)} as interval_start, ${iso(sql.fragment`bar.ends`)} as interval_end,
      coalesce(json_agg(json_build_object(
        'state_type', c.state_type, 'state_name', c.state_name, 'count_runs', c.count_runs,
        'sum_estimated_run_time', c.sum_estimated_run_time, 'sum_estimated_lateness', c.sum_estimated_lateness
      ) order by c.state_type, c.state_name) filter (where c.i is not null), '[]') as states
    from bar left join counted c on c.i = bar.i
    group by bar.i, bar.begins, bar.ends order by bar.i`)
  return found.map(({ states, ...interval }) => ({ ...interval, states: JSON.parse(states) }))
}
