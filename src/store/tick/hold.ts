/** What the holder of a tick writes: each statement asks for the fence, so that who lost it changes nothing. */
import type { Pool, PoolClient } from 'pg'
import { LeaseLost } from '#src/errors.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { storeError } from '#src/store/unavailable.ts'
import { type HeldTick, type KeyRow, keyColumns, keyOf, keyText, type TickKey } from './key.ts'

/** How a tick ended. */
export interface Verdict extends HeldTick {
  readonly state: 'done' | 'skipped' | 'failed'
  readonly reason: string | null
  /** What the run says it did; null when it says nothing. */
  readonly result: Readonly<Record<string, number>> | null
}

const SAME_ROW = 't.job = w.job and t.scheduled_for = w.scheduled_for and t.origin = w.origin'
const HELD = `${SAME_ROW} and t.fence = w.fence and t.state = 'running'`

/** Writes verdicts. Returns those that nobody took; a verdict of a holder that lost its fence changes nothing. */
export async function decide(db: Queryable, verdicts: readonly Verdict[]): Promise<Verdict[]> {
  const { rows } = await db.query<KeyRow>(
    `update tick t set state = w.state, reason = w.reason, result = w.result, decided_at = clock_timestamp(), lease_until = null
     from unnest($1::text[], $2::timestamptz[], $3::text[], $4::int8[], $5::text[], $6::text[], $7::json[])
       as w(job, scheduled_for, origin, fence, state, reason, result)
     where ${HELD}
     returning t.job, t.scheduled_for, t.origin`,
    [
      ...keyColumns(verdicts),
      verdicts.map(({ fence }) => fence),
      verdicts.map(({ state }) => state),
      verdicts.map(({ reason }) => reason),
      verdicts.map(({ result }) => (result === null ? null : JSON.stringify(result))),
    ],
  )
  const written = new Set(rows.map((row) => keyText(keyOf(row))))
  return verdicts.filter((verdict) => written.has(keyText(verdict)))
}

/**
 * Renews leases. Returns the ticks whose fence was lost. A row that a transaction of its holder has locked is left alone:
 * nobody else can take it meanwhile either, so it does not count as lost.
 */
export async function renew(db: Queryable, held: readonly HeldTick[], leaseMs: number): Promise<HeldTick[]> {
  const { rows } = await db.query<KeyRow & { fence: string; state: string }>(
    `with wanted as (
       select * from unnest($1::text[], $2::timestamptz[], $3::text[], $4::int8[]) as w(job, scheduled_for, origin, fence)
     ), mine as (
       select t.job, t.scheduled_for, t.origin from tick t join wanted w on ${HELD} for update of t skip locked
     ), renewed as (
       update tick t set lease_until = clock_timestamp() + $5 * interval '1 millisecond'
       from mine w where ${SAME_ROW}
     )
     select w.job, w.scheduled_for, w.origin from wanted w
     where not exists (select from tick t where ${HELD})`,
    [...keyColumns(held), held.map(({ fence }) => fence), leaseMs],
  )
  const lost = new Set(rows.map((row) => keyText(keyOf(row))))
  return held.filter((tick) => lost.has(keyText(tick)))
}

/**
 * Begins a tick anew under a new fence, so that what is left of the last attempt changes nothing. Null when it was lost.
 * @param counts whether that is one more attempt
 */
export async function beginAttempt(db: Queryable, tick: HeldTick, counts: boolean): Promise<HeldTick | null> {
  const { rows } = await db.query<{ fence: string }>(
    `update tick t set fence = t.fence + 1, attempts = t.attempts + $5
     from unnest($1::text[], $2::timestamptz[], $3::text[], $4::int8[]) as w(job, scheduled_for, origin, fence)
     where ${HELD} returning t.fence`,
    [...keyColumns([tick]), [tick.fence], counts ? 1 : 0],
  )
  return rows[0] === undefined ? null : { ...tick, fence: Number(rows[0].fence) }
}

/** Gives ticks back, to be run by whoever comes first; the attempt that was under way does not count. */
export async function handOver(db: Queryable, held: readonly HeldTick[]): Promise<void> {
  await db.query(
    `update tick t set state = 'open', owner = null, fence = t.fence + 1, attempts = greatest(0, t.attempts - 1),
       lease_until = clock_timestamp()
     from unnest($1::text[], $2::timestamptz[], $3::text[], $4::int8[]) as w(job, scheduled_for, origin, fence)
     where ${HELD}`,
    [...keyColumns(held), held.map(({ fence }) => fence)],
  )
}

/**
 * Gives back what a process has by the ledger and knows nothing of, since Postgres did not answer when it asked for it. It was
 * not begun, so it does not count as an attempt. Returns those that were given back.
 */
export async function giveBack(db: Queryable, owner: string, keys: readonly TickKey[]): Promise<TickKey[]> {
  const { rows } = await db.query<KeyRow>(
    `update tick t set state = 'open', owner = null, fence = t.fence + 1, attempts = greatest(0, t.attempts - 1),
       lease_until = clock_timestamp()
     from unnest($1::text[], $2::timestamptz[], $3::text[]) as w(job, scheduled_for, origin)
     where ${SAME_ROW} and t.owner = $4 and t.state = 'running'
     returning t.job, t.scheduled_for, t.origin`,
    [...keyColumns(keys), owner],
  )
  return rows.map(keyOf)
}

/** Takes back a row that should not be: its instant is not one of the schedule's. */
export async function dropClaim(db: Queryable, held: readonly HeldTick[]): Promise<void> {
  await db.query(
    `delete from tick t using unnest($1::text[], $2::timestamptz[], $3::text[], $4::int8[]) as w(job, scheduled_for, origin, fence)
     where ${HELD}`,
    [...keyColumns(held), held.map(({ fence }) => fence)],
  )
}

/**
 * Runs statements in a transaction that holds the tick's row: nobody can take the tick before it ends, and when somebody
 * has taken it already nothing is done.
 * @throws LeaseLost; StoreUnavailable when Postgres was lost on the way; what `work` throws
 */
export async function whileHeld<T>(
  pool: Pool,
  timeoutMs: number,
  tick: HeldTick,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  let ofWork = false
  return inTransaction(pool, timeoutMs, async (client) => {
    const { rowCount } = await client.query(
      `select from tick where job = $1 and scheduled_for = $2 and origin = $3 and fence = $4 and state = 'running' for update`,
      [tick.job, new Date(tick.scheduledForMs).toISOString(), tick.origin, tick.fence],
    )
    if (rowCount === 0) throw new LeaseLost({ job: tick.job, scheduledForMs: tick.scheduledForMs })
    try {
      return await work(client)
    } catch (error) {
      ofWork = await client.query('rollback').then(...([() => true, () => false] as const)) // else the connection was lost
      throw error
    }
  }).catch((error: unknown) => {
    throw ofWork ? error : storeError(error)
  })
}
