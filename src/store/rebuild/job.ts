/** The table `rebuild`: what is under way, who works on it, how far it is. */
import type { Queryable } from '../checkpoint.ts'

export type RebuildState = 'requested' | 'running' | 'done' | 'cancelled' | 'failed'
/**
 * `command`: somebody runs it, and goes on with it; `asked` of the services; `version`: the code's is another than the
 * table's; `partial`: the log has events that it never saw; `behind`: tables that look into each other stand at several places.
 */
export type RebuildReason = 'command' | 'asked' | 'version' | 'partial' | 'behind'

export interface RebuildJob {
  readonly id: number
  readonly names: readonly string[]
  readonly versions: readonly number[]
  readonly state: RebuildState
  readonly reason: RebuildReason
  /** Rows that began before this moment are carried over; null for none but those that have to be. */
  readonly since: string | null
  readonly strict: boolean
  /** All partitions are one piece. */
  readonly whole: boolean
  /** By partition `[ms, seq]`: where the recorder was when it began; null before that. */
  readonly start: unknown
  /** Rows that began before this moment are carried over, as was found when it began; null for none, and before that. */
  readonly carriedBefore: string | null
  /** Ids of the dead letters whose events were left out. */
  readonly letters: readonly string[]
  readonly owner: string
  readonly epoch: number
  /** Its owner is alive, as far as can be known. */
  readonly leased: boolean
  /** What it does now, in a few words. */
  readonly step: string
  readonly eventsDone: number
  readonly eventsTotal: number
  readonly rows: number
  readonly carried: number
  /** Rows that were other than the live table's, of those that were compared. */
  readonly corrected: number
  /** Events that projections failed on, and those that wait behind one. */
  readonly failed: number
  readonly error: string | null
  readonly startedAt: string
  readonly changedAt: string
  readonly endedAt: string | null
}

const COLUMNS = `id::float8 as id, names, versions, state, reason, ${instant('since')} as since, strict, whole, start,
  ${instant('carried_before')} as "carriedBefore", letters, owner,
  epoch::float8 as epoch, lease_until > clock_timestamp() as leased, step, events_done::float8 as "eventsDone",
  events_total::float8 as "eventsTotal", row_count::float8 as rows, carried::float8 as carried, corrected::float8 as corrected, failed::float8 as failed,
  error, ${instant('started_at')} as "startedAt", ${instant('changed_at')} as "changedAt", ${instant('ended_at')} as "endedAt"`

function instant(column: string): string {
  return `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
}

export type NewRebuild = Pick<RebuildJob, 'names' | 'versions' | 'reason' | 'since' | 'strict'>

/**
 * Begins a rebuild that nobody works on yet. Null when one of the projections has one already.
 * @param tx in a transaction
 */
export async function requestRebuild(tx: Queryable, wanted: NewRebuild): Promise<RebuildJob | null> {
  const { names, versions, reason, since, strict } = wanted
  const { rows } = await tx.query<RebuildJob>(
    `insert into rebuild (names, versions, state, reason, since, strict)
     values ($1, $2, 'requested', $3, $4, $5) returning ${COLUMNS}`,
    [names, versions, reason, since, strict],
  )
  const job = rows[0] as RebuildJob
  const { rowCount } = await tx.query('update projection set rebuild = $1 where name = any($2) and rebuild is null', [
    job.id,
    names,
  ])
  if (rowCount === names.length) return job
  await tx.query('delete from rebuild where id = $1', [job.id])
  await tx.query('update projection set rebuild = null where rebuild = $1', [job.id])
  return null
}

export async function readRebuild(db: Queryable, id: number): Promise<RebuildJob | null> {
  const { rows } = await db.query<RebuildJob>(`select ${COLUMNS} from rebuild where id = $1`, [id])
  return rows[0] ?? null
}

/** The rebuilds that are not over. */
export async function openRebuilds(db: Queryable): Promise<RebuildJob[]> {
  const { rows } = await db.query<RebuildJob>(
    `select ${COLUMNS} from rebuild where id in (select rebuild from projection) order by rebuild.id`,
  )
  return rows
}

/** Names the locks that keep whoever writes for a rebuild apart from whoever takes it over; any number, but always the same. */
const WRITING = 0x7265

/**
 * Becomes its owner, once what the one before is writing is through. Null when that one is alive.
 * @param tx in a transaction
 */
export async function takeRebuild(
  tx: Queryable,
  id: number,
  owner: string,
  leaseMs: number,
): Promise<RebuildJob | null> {
  const before = await readRebuild(tx, id)
  if (before === null || before.leased) return null
  await tx.query('select pg_advisory_xact_lock($1, $2)', [WRITING, id])
  const { rows } = await tx.query<RebuildJob>(
    `update rebuild set owner = $2, epoch = epoch + 1, lease_until = clock_timestamp() + $3 * interval '1 ms',
       state = 'running', error = null, changed_at = now()
     where id = $1 and state in ('requested', 'running', 'failed') and lease_until <= clock_timestamp()
     returning ${COLUMNS}`,
    [id, owner, leaseMs],
  )
  return rows[0] ?? null
}

/** To be asked first in each transaction that writes for it. False when it is somebody else's by now, or is over. */
export async function mayWrite(tx: Queryable, { id, epoch }: Pick<RebuildJob, 'id' | 'epoch'>): Promise<boolean> {
  await tx.query('select pg_advisory_xact_lock_shared($1, $2)', [WRITING, id])
  const { rowCount } = await tx.query("select from rebuild where id = $1 and epoch = $2 and state = 'running'", [
    id,
    epoch,
  ])
  return rowCount === 1
}

/** The last rebuilds that are over, the latest first; old ones are forgotten. */
export async function lastRebuilds(db: Queryable): Promise<RebuildJob[]> {
  const { rows } = await db.query<RebuildJob>(
    `select ${COLUMNS} from rebuild where ended_at is not null order by rebuild.ended_at desc limit 200`,
  )
  return rows
}

/** What may change while it is under way. */
export interface RebuildProgress {
  readonly step?: string
  readonly eventsDone?: number
  readonly eventsTotal?: number
  readonly rows?: number
  readonly carried?: number
  readonly corrected?: number
  readonly whole?: boolean
}

/** Notes how far it is and keeps it for longer. False when it is somebody else's by now, or was cancelled. */
export async function keepRebuild(
  db: Queryable,
  { id, epoch }: Pick<RebuildJob, 'id' | 'epoch'>,
  leaseMs: number,
  progress: RebuildProgress = {},
): Promise<boolean> {
  const { step, eventsDone, eventsTotal, rows, carried, whole, corrected } = progress
  const { rowCount } = await db.query(
    `update rebuild set lease_until = clock_timestamp() + $3 * interval '1 ms', changed_at = now(), step = coalesce($4, step),
       events_done = coalesce($5, events_done), events_total = coalesce($6, events_total),
       row_count = coalesce($7, row_count), carried = coalesce($8, carried), whole = coalesce($9, whole),
       corrected = coalesce($10, corrected)
     where id = $1 and epoch = $2 and state = 'running'`,
    [id, epoch, leaseMs, step, eventsDone, eventsTotal, rows, carried, whole, corrected],
  )
  return rowCount === 1
}

/** Notes from where it folds, what it carries over, and which dead letters it leaves out; null to begin anew. */
export async function noteStart(
  tx: Queryable,
  id: number,
  start: {
    readonly places: string
    readonly carriedBefore: string | null
    readonly letters: readonly string[]
  } | null,
): Promise<void> {
  await tx.query('update rebuild set start = $2, letters = $3, carried_before = $4, failed = 0 where id = $1', [
    id,
    start?.places ?? null,
    start?.letters ?? [],
    start?.carriedBefore ?? null,
  ])
  await tx.query('delete from rebuild_unit where rebuild = $1', [id])
}

/** Counts events that projections failed on. To be asked last in a transaction: the row is wanted by others. */
export async function noteFailed(tx: Queryable, id: number, count: number): Promise<void> {
  if (count > 0) await tx.query('update rebuild set failed = failed + $2 where id = $1', [id, count])
}

/** Notes that events of more dead letters were left out. */
export async function leaveOut(tx: Queryable, id: number, letters: readonly string[]): Promise<void> {
  await tx.query(`update rebuild set letters = array(select distinct unnest(letters || $2::uuid[])) where id = $1`, [
    id,
    letters,
  ])
}

/** Lets it go: it may be taken again at once. */
export async function releaseRebuild(
  db: Queryable,
  { id, epoch }: Pick<RebuildJob, 'id' | 'epoch'>,
  error: string | null,
): Promise<void> {
  await db.query(
    `update rebuild set lease_until = now(), changed_at = now(), error = $3,
       state = case when $3::text is null then state else 'failed' end
     where id = $1 and epoch = $2 and state = 'running'`,
    [id, epoch, error],
  )
}

/**
 * Ends it: its projections are free for another one. Waits for what its owner is writing at this moment, if that is not
 * the caller. False when it was over by then: whoever exchanges the tables may have been faster than who cancels.
 */
export async function endRebuild(tx: Queryable, id: number, state: 'done' | 'cancelled'): Promise<boolean> {
  if (state === 'cancelled') await tx.query('select pg_advisory_xact_lock($1, $2)', [WRITING, id])
  const { rowCount } = await tx.query(
    `update rebuild set state = $2, step = '', ended_at = now(), changed_at = now(), lease_until = now(),
       epoch = epoch + 1 where id = $1 and state in ('requested', 'running', 'failed')`,
    [id, state],
  )
  if (rowCount === 0) return false
  await tx.query('delete from rebuild_unit where rebuild = $1', [id])
  await tx.query('update projection set rebuild = null where rebuild = $1', [id])
  return true
}
