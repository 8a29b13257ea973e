/** The ledger as operators look at it. */
import type { Queryable } from '#src/store/checkpoint.ts'

export interface TickView {
  readonly job: string
  readonly scheduledForMs: number
  readonly origin: string
  readonly state: 'open' | 'running' | 'done' | 'skipped' | 'failed'
  readonly reason: string | null
  readonly attempts: number
  readonly owner: string | null
  /** How late its first attempt began, in milliseconds; null when there was none. */
  readonly lateMs: number | null
  readonly decidedMs: number | null
  readonly result: Readonly<Record<string, number>> | null
}

interface Row {
  job: string
  scheduled_for: Date
  origin: string
  state: TickView['state']
  reason: string | null
  attempts: number
  owner: string | null
  late_ms: number | null
  decided_at: Date | null
  result: Record<string, number> | null
}

const COLUMNS = `t.job, t.scheduled_for, t.origin, t.state, t.reason, t.attempts, t.owner, t.decided_at, t.result,
  (extract(epoch from t.started_at - t.scheduled_for) * 1000)::float8 as late_ms`

/** The latest ticks of a job, newest first. */
export async function listTicks(db: Queryable, job: string, limit: number): Promise<TickView[]> {
  const { rows } = await db.query<Row>(
    `select ${COLUMNS} from tick t where t.job = $1 order by t.scheduled_for desc, t.origin limit $2`,
    [job, limit],
  )
  return rows.map(viewOf)
}

/** The latest tick of each job that has begun, and how many wait or run. */
export async function lastTicks(
  db: Queryable,
  jobs: readonly string[],
): Promise<Map<string, { readonly last: TickView | null; readonly open: number; readonly owner: string | null }>> {
  const { rows } = await db.query<Row & { name: string; open: string; holder: string | null }>(
    `select w.name, ${COLUMNS},
       (select count(*) from tick o where o.job = w.name and o.state in ('open', 'running')) as open,
       (select o.owner from tick o
        where o.job = w.name and o.state = 'running' and o.lease_until > clock_timestamp() order by o.scheduled_for desc limit 1) as holder
     from unnest($1::text[]) as w(name)
     left join lateral (
       select * from tick where job = w.name and state <> 'open' order by scheduled_for desc limit 1
     ) t on true`,
    [jobs],
  )
  return new Map(
    rows.map((row) => [
      row.name,
      { last: row.job === null ? null : viewOf(row), open: Number(row.open), owner: row.holder },
    ]),
  )
}

/** Scheduled ticks of a job after an instant, ascending: a page for who goes through all of them. */
export async function pageOfTicks(
  db: Queryable,
  job: string,
  afterMs: number,
  untilMs: number,
  limit: number,
): Promise<{ readonly scheduledForMs: number; readonly state: TickView['state'] }[]> {
  const { rows } = await db.query<{ scheduled_for: Date; state: TickView['state'] }>(
    `select scheduled_for, state from tick
     where job = $1 and origin = 'schedule' and scheduled_for > $2 and scheduled_for <= $3
     order by scheduled_for limit $4`,
    [job, new Date(afterMs).toISOString(), new Date(untilMs).toISOString(), limit],
  )
  return rows.map((row) => ({ scheduledForMs: row.scheduled_for.getTime(), state: row.state }))
}

/** The oldest scheduled tick that the ledger still has of a job; null when it has none. */
export async function oldestTick(db: Queryable, job: string): Promise<number | null> {
  const { rows } = await db.query<{ scheduled_for: Date }>(
    `select scheduled_for from tick where job = $1 and origin = 'schedule' order by scheduled_for limit 1`,
    [job],
  )
  return rows[0]?.scheduled_for.getTime() ?? null
}

function viewOf(row: Row): TickView {
  const { job, origin, state, reason, attempts, owner, result } = row
  return {
    ...{ job, origin, state, reason, attempts, owner, result },
    scheduledForMs: row.scheduled_for.getTime(),
    lateMs: row.late_ms === null ? null : Math.round(row.late_ms),
    decidedMs: row.decided_at?.getTime() ?? null,
  }
}
