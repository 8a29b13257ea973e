/**
 * The gate of the projections' tables: whoever writes to them passes it together with others, whoever exchanges them alone.
 * A lock of the transaction, so that a pooler may stand between; asked for before any row or table is.
 */
import type { PoolClient } from 'pg'
import type { CheckpointPosition, Queryable } from './checkpoint.ts'

/** Any number, but always the same. */
const GATE = 0x70726f6a

/** Which tables are where the recorder's checkpoint is. */
export interface Standing {
  /** The version of the code that made a projection's table; undefined for one that never began. */
  readonly versions: ReadonlyMap<string, number>
  /** Where a table stands that is behind, by projection and partition. */
  readonly behind: ReadonlyMap<string, ReadonlyMap<number, CheckpointPosition>>
}

/** Passes the gate with others, until the transaction ends, and says how things stand. */
export async function passGate(client: PoolClient): Promise<Standing> {
  // One message: each statement sees what was committed before it, and so what was exchanged while the lock was waited for.
  const results = (await client.query(
    `select pg_advisory_xact_lock_shared(${GATE});
     select name, version from projection;
     select projection, partition, entry_ms::float8 as ms, entry_seq::float8 as seq from projection_behind`,
  )) as unknown as [unknown, { rows: { name: string; version: number }[] }, { rows: BehindRow[] }]
  return standingOf(results[1].rows, results[2].rows)
}

/** Closes the gate until the transaction ends: nobody writes to any projection's table. @throws 55P03 after `waitMs` */
export async function closeGate(client: PoolClient, waitMs: number): Promise<void> {
  await client.query(`set local lock_timeout = ${Math.ceil(waitMs)}; select pg_advisory_xact_lock(${GATE})`)
}

interface BehindRow {
  readonly projection: string
  readonly partition: number
  readonly ms: number
  readonly seq: number
}

function standingOf(versions: readonly { name: string; version: number }[], rows: readonly BehindRow[]): Standing {
  const behind = new Map<string, Map<number, CheckpointPosition>>()
  for (const { projection, partition, ms, seq } of rows) {
    if (!behind.has(projection)) behind.set(projection, new Map())
    behind.get(projection)?.set(partition, { ms, seq })
  }
  return { versions: new Map(versions.map(({ name, version }) => [name, version])), behind }
}

/** How things stand, without the gate. */
export async function readStanding(db: Queryable): Promise<Standing> {
  const versions = await db.query<{ name: string; version: number }>('select name, version from projection')
  const behind = await db.query<BehindRow>(
    'select projection, partition, entry_ms::float8 as ms, entry_seq::float8 as seq from projection_behind',
  )
  return standingOf(versions.rows, behind.rows)
}

/** Notes that tables stay where a group's checkpoint is, while it goes on; those that are behind already stay so. */
export async function noteLeft(
  tx: Queryable,
  group: string,
  projections: readonly string[],
  partitions: readonly number[],
): Promise<void> {
  await tx.query(
    `insert into projection_behind (projection, partition, entry_ms, entry_seq)
     select name, partition, entry_ms, entry_seq from unnest($2::text[]) as name, checkpoint
     where "group" = $1 and partition = any($3::int2[]) on conflict do nothing`,
    [group, projections, partitions],
  )
}

/** Notes that a table stays where it is while the recorder goes on; one that is behind already stays so. */
export async function noteBehind(
  db: Queryable,
  projections: readonly string[],
  partition: number,
  at: CheckpointPosition,
): Promise<void> {
  await db.query(
    `insert into projection_behind (projection, partition, entry_ms, entry_seq)
     select name, $2, $3, $4 from unnest($1::text[]) as name on conflict do nothing`,
    [projections, partition, at.ms, at.seq],
  )
}

/** Notes where a table stands: in these partitions behind, in all others where the checkpoint is. */
export async function standBehind(
  tx: Queryable,
  projection: string,
  places: ReadonlyMap<number, CheckpointPosition>,
): Promise<void> {
  await tx.query('delete from projection_behind where projection = $1', [projection])
  for (const [partition, place] of places) await noteBehind(tx, [projection], partition, place)
}

/** Holds the note of where a table stands against others who bring it on. Where it stands; null when nowhere behind. */
export async function lockBehind(
  tx: Queryable,
  projection: string,
): Promise<ReadonlyMap<number, CheckpointPosition> | null> {
  const { rows } = await tx.query<BehindRow>(
    `select projection, partition, entry_ms::float8 as ms, entry_seq::float8 as seq from projection_behind
     where projection = $1 order by partition for update`,
    [projection],
  )
  return rows.length === 0 ? null : (standingOf([], rows).behind.get(projection) ?? null)
}

/** Moves that note; only where it is there. */
export async function moveBehind(
  tx: Queryable,
  projection: string,
  places: ReadonlyMap<number, CheckpointPosition>,
): Promise<void> {
  for (const [partition, { ms, seq }] of places)
    await tx.query(
      'update projection_behind set entry_ms = $3, entry_seq = $4 where projection = $1 and partition = $2',
      [projection, partition, ms, seq],
    )
}
