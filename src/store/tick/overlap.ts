/** A tick that is due while another one of its job runs, and they may not run side by side. */
import type { Queryable } from '#src/store/checkpoint.ts'
import type { TickKey } from './key.ts'
import { openTicks, skipTicks } from './open.ts'

export type Overlap = 'skip' | 'queue-one' | 'cancel-previous'

/**
 * Settles it. `left out`: it is skipped, and its row says for which one. `waits`: it is held back, or the other one's holder
 * is dead and comes first. `goes ahead`: the other one is ended, or has ended; take it.
 */
export async function standAside(
  db: Queryable,
  key: TickKey,
  overlap: Overlap,
): Promise<'left out' | 'waits' | 'goes ahead'> {
  const other = await runningOf(db, key)
  if (other === null) return 'goes ahead'
  if (overlap === 'cancel-previous') {
    await cancel(db, other, `cancelled: ${instantOf(key)} is due`)
    return 'goes ahead'
  }
  const wait = !other.alive || (overlap === 'queue-one' && !(await someoneWaits(db, key)))
  if (wait) {
    await openTicks(db, [key])
    return 'waits'
  }
  const reason = `overlap: ${instantOf(other)} still runs`
  await skipTicks(db, [{ ...key, reason }])
  await skipOpen(db, key, reason)
  return 'left out'
}

interface Running extends TickKey {
  readonly alive: boolean
}

async function runningOf(db: Queryable, { job }: TickKey): Promise<Running | null> {
  const { rows } = await db.query<{ scheduled_for: Date; origin: string; alive: boolean }>(
    `select scheduled_for, origin, lease_until > clock_timestamp() as alive
     from tick where job = $1 and state = 'running' and exclusive`,
    [job],
  )
  const [row] = rows
  if (row === undefined) return null
  return { job, scheduledForMs: row.scheduled_for.getTime(), origin: row.origin, alive: row.alive }
}

async function cancel(db: Queryable, { job, scheduledForMs, origin }: TickKey, reason: string): Promise<void> {
  await db.query(
    `update tick set state = 'failed', reason = $4, fence = fence + 1, decided_at = clock_timestamp(), lease_until = null
     where job = $1 and scheduled_for = $2 and origin = $3 and state = 'running'`,
    [job, new Date(scheduledForMs).toISOString(), origin, reason],
  )
}

/** Whether an earlier tick of the job is held back already. */
async function someoneWaits(db: Queryable, { job, scheduledForMs }: TickKey): Promise<boolean> {
  const { rowCount } = await db.query(
    `select from tick where job = $1 and state = 'open' and scheduled_for < $2 limit 1`,
    [job, new Date(scheduledForMs).toISOString()],
  )
  return rowCount !== 0
}

async function skipOpen(db: Queryable, { job, scheduledForMs, origin }: TickKey, reason: string): Promise<void> {
  await db.query(
    `update tick set state = 'skipped', reason = $4, decided_at = clock_timestamp(), lease_until = null
     where job = $1 and scheduled_for = $2 and origin = $3 and state = 'open'`,
    [job, new Date(scheduledForMs).toISOString(), origin, reason],
  )
}

function instantOf({ scheduledForMs }: TickKey): string {
  return new Date(scheduledForMs).toISOString()
}
