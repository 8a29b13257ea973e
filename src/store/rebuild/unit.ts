/** The table `rebuild_unit`: the pieces of a rebuild that are written. */
import type { Queryable } from '../checkpoint.ts'

export interface RebuildUnit {
  readonly partition: number
  /** JSON: by partition `[ms, seq]`. */
  readonly through: unknown
  readonly events: number
  readonly rows: number
}

/** What it looked at as well: hashes of keys, sorted, 8 bytes each. */
export interface NewUnit extends Omit<RebuildUnit, 'through'> {
  /** JSON, as `RebuildUnit` has it parsed. */
  readonly through: string
  readonly keys: Buffer
}

/** All partitions in one piece. */
export const ALL_PARTITIONS = -1
/** The same, folded event by event, since a table refused what was folded in memory. */
export const BY_EVENT = -3
/** No piece of its own: once all are written, how far the new tables have followed. */
export const FOLLOWING = -2

export async function readUnits(db: Queryable, rebuild: number): Promise<RebuildUnit[]> {
  const { rows } = await db.query<RebuildUnit>(
    `select partition, through, events::float8 as events, row_count::float8 as rows
     from rebuild_unit where rebuild = $1 order by partition`,
    [rebuild],
  )
  return rows
}

/** Some of the keys of a piece; fewer bytes than asked for where they end. @param from a byte, the first is 0 */
export async function readKeys(
  db: Queryable,
  rebuild: number,
  partition: number,
  from: number,
  bytes: number,
): Promise<Buffer> {
  const { rows } = await db.query<{ part: Buffer }>(
    'select substring(keys from $3 for $4) as part from rebuild_unit where rebuild = $1 and partition = $2',
    [rebuild, partition, from + 1, bytes],
  )
  return rows[0]?.part ?? Buffer.alloc(0)
}

export async function addUnit(
  tx: Queryable,
  rebuild: number,
  { partition, through, events, rows, keys }: NewUnit,
): Promise<void> {
  await tx.query(
    'insert into rebuild_unit (rebuild, partition, through, events, row_count, keys) values ($1, $2, $3, $4, $5, $6)',
    [rebuild, partition, through, events, rows, keys],
  )
}

/** Notes how far the new tables have followed; what keys the pieces looked at is no longer needed then. */
export async function noteFollowed(tx: Queryable, rebuild: number, through: string): Promise<void> {
  await tx.query(`update rebuild_unit set keys = '' where rebuild = $1 and keys <> ''`, [rebuild])
  await tx.query(
    `insert into rebuild_unit (rebuild, partition, through, events, row_count, keys) values ($1, $2, $3, 0, 0, '')
     on conflict (rebuild, partition) do update set through = $3`,
    [rebuild, FOLLOWING, through],
  )
}
