/** Days of the log that are older than its retention: made, pruned, or deleted as others do; and what that costs. */
import type pg from 'pg'
import { pruneLog } from '#src/retention/prune.ts'
import type { PruneStep } from '#src/retention/steps.ts'
import { dayOf, dayTable, makeDayPartitions } from '#src/store/day-partitions.ts'

export const DAY_MS = 86_400_000
export const KEPT_DAYS = 10
const TODAY = dayOf(Date.now())
/** What others do: so many rows in a transaction, found by the primary key. */
const DELETE_BATCH = 5_000

/** So many days, beginning so long ago. */
export function daysAgo(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => TODAY - first + i)
}

/** As the persister would, but made by Postgres itself: rows of about 600 bytes with 6 terms each. */
export async function fill(pool: pg.Pool, days: readonly number[], each: number): Promise<void> {
  await makeDayPartitions(pool, days)
  for (const day of days) {
    await pool.query(
      `insert into ${dayTable(day)} (occurred, id, event, resource_id, terms, received, partition, entry_ms, entry_seq, entry_index, resource, related, payload)
       select to_timestamp($1::int4 * 86400.0 + n * 86000.0 / $2), gen_random_uuid(), 'bench.' || n % 3, 'prefect.task-run.' || gen_random_uuid(),
         array[n % 1000, n % 300, 1, 2, hashint4(n), 3], now(), 0, 1, n, 0,
         json_build_object('prefect.resource.id', gen_random_uuid(), 'prefect.resource.name', 'load', 'prefect.state-name', 'Running'),
         json_build_array(json_build_object('prefect.resource.id', 'prefect.flow-run.' || n / 300, 'prefect.resource.role', 'flow-run')),
         json_build_object('intended', json_build_object('from', 'RUNNING', 'to', 'COMPLETED'), 'text', repeat('x', 150))
       from generate_series(1, $2::int4) as n`,
      [day, each],
    )
  }
  await pool.query('analyze event')
}

export async function deleteDay(pool: pg.Pool, table: string): Promise<void> {
  for (;;) {
    const { rowCount } = await pool.query(
      `delete from ${table} where ctid = any(array(select ctid from ${table} order by occurred, id limit ${DELETE_BATCH}))`,
    )
    if ((rowCount ?? 0) < DELETE_BATCH) break
  }
  await pool.query(`vacuum ${table}`)
}

export function prune(pool: pg.Pool, onStep: (step: PruneStep) => void, overrides: Record<string, number> = {}) {
  const policy = { defaultMs: KEPT_DAYS * DAY_MS, overrides }
  return pruneLog(
    { pool, policy, nowMs: Date.now, behind: async () => [], isFollowedUp: async () => true, archive: null, onStep },
    new AbortController().signal,
  )
}

/** Time, and bytes of WAL that everybody wrote meanwhile. */
export async function measured(pool: pg.Pool, work: () => Promise<unknown>): Promise<{ ms: number; wal: number }> {
  const lsn = async () => (await pool.query<{ lsn: string }>('select pg_current_wal_insert_lsn() as lsn')).rows[0]?.lsn
  const before = await lsn()
  const began = performance.now()
  await work()
  const ms = performance.now() - began
  const { rows } = await pool.query<{ wal: number }>('select pg_wal_lsn_diff($1, $2)::float8 as wal', [
    await lsn(),
    before,
  ])
  return { ms, wal: rows[0]?.wal ?? 0 }
}

export async function bytesOf(pool: pg.Pool, days: readonly number[]): Promise<number> {
  const { rows } = await pool.query<{ bytes: number }>(
    'select sum(pg_total_relation_size(name::regclass))::float8 as bytes from unnest($1::text[]) as name',
    [days.map(dayTable)],
  )
  return rows[0]?.bytes ?? 0
}

export function longestLock(steps: readonly PruneStep[]): number {
  return Math.max(0, ...steps.map((step) => (step.step === 'locked' ? step.lockedMs : 0)))
}

export function attemptsOf(steps: readonly PruneStep[]): number {
  return steps.reduce((sum, step) => sum + (step.step === 'detached' ? step.attempts : 0), 0)
}
