import type { PoolClient } from 'pg'

/** A place in a partition, as the table keeps it. */
export interface CheckpointPosition {
  readonly ms: number
  readonly seq: number
}

/** How far a group has applied a partition, and the epoch of whoever may move it. */
export interface Checkpoint {
  readonly partition: number
  readonly position: CheckpointPosition
  readonly eventCount: number
  readonly epoch: number
}

export interface CheckpointMove {
  readonly partition: number
  readonly epoch: number
  readonly from: CheckpointPosition
  readonly to: CheckpointPosition
  readonly eventCount: number
}

/** Anything that runs a statement: a pool, or a connection in a transaction. */
export type Queryable = Pick<PoolClient, 'query'>

interface Row {
  partition: number
  entry_ms: string
  entry_seq: string
  event_count: string
  owner_epoch: string
}

const COLUMNS = 'partition, entry_ms, entry_seq, event_count, owner_epoch'

/** Becomes a partition's owner: raises its epoch, so that whoever owned it before can move nothing any more. */
export async function takeCheckpoint(db: Queryable, group: string, partition: number): Promise<Checkpoint> {
  const { rows } = await db.query<Row>(
    `insert into checkpoint ("group", partition, owner_epoch) values ($1, $2, 1)
     on conflict ("group", partition) do update set owner_epoch = checkpoint.owner_epoch + 1
     returning ${COLUMNS}`,
    [group, partition],
  )
  return read(rows[0] as Row)
}

/** A group's checkpoints, in the order of partitions; those it never read are missing. */
export async function readCheckpoints(db: Queryable, group: string): Promise<Checkpoint[]> {
  const { rows } = await db.query<Row>(`select ${COLUMNS} from checkpoint where "group" = $1 order by partition`, [
    group,
  ])
  return rows.map(read)
}

/** True when a group has applied what is at a position. */
export async function hasApplied(
  db: Queryable,
  group: string,
  { partition, id }: { readonly partition: number; readonly id: CheckpointPosition },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `select from checkpoint
     where "group" = $1 and partition = $2 and (entry_ms, entry_seq) >= ($3::int8, $4::int8)`,
    [group, partition, id.ms, id.seq],
  )
  return rowCount === 1
}

/** The checkpoints of all groups. */
export async function readAllCheckpoints(db: Queryable): Promise<(Checkpoint & { readonly group: string })[]> {
  const { rows } = await db.query<Row & { group: string }>(
    `select "group", ${COLUMNS} from checkpoint order by "group", partition`,
  )
  return rows.map((row) => ({ group: row.group, ...read(row) }))
}

/** Forgets how far a group has come. Returns in how many partitions it had applied anything. */
export async function deleteCheckpoints(db: Queryable, group: string): Promise<number> {
  const { rowCount } = await db.query('delete from checkpoint where "group" = $1', [group])
  return rowCount ?? 0
}

/**
 * Moves a group's checkpoints forward to a position behind which nothing is; those that are further stay. All owners are
 * stale afterwards: they look at everything anew before they commit.
 * @param counts events that each partition has had, all of which the group is said to have applied
 * @returns partitions of which the group has applied less; then nothing may be kept of this transaction
 */
export async function liftCheckpoints(
  tx: Queryable,
  group: string,
  counts: readonly number[],
  to: CheckpointPosition,
): Promise<number[]> {
  const { rows } = await tx.query<{ partition: number; event_count: string }>(
    `insert into checkpoint as c ("group", partition, entry_ms, entry_seq)
     select $1, p, $3, $4 from generate_series(0, $2::int4 - 1) as p
     on conflict ("group", partition) do update set owner_epoch = c.owner_epoch + 1,
       entry_ms = case when (c.entry_ms, c.entry_seq) < ($3::int8, $4::int8) then $3 else c.entry_ms end,
       entry_seq = case when (c.entry_ms, c.entry_seq) < ($3::int8, $4::int8) then $4 else c.entry_seq end
     returning partition, event_count`,
    [group, counts.length, to.ms, to.seq],
  )
  return rows
    .filter(({ partition, event_count: applied }) => Number(applied) < (counts[partition] ?? 0))
    .map(({ partition }) => partition)
}

/** Makes every owner stale: each looks at everything anew before it commits. */
export async function raiseEpochs(tx: Queryable): Promise<void> {
  await tx.query('update checkpoint set owner_epoch = owner_epoch + 1')
}

/** Where a group stands in a partition, where something was lost or this life of the stream began later. */
export interface Standing {
  readonly partition: number
  readonly epoch: number
  /** Up to here nothing will come any more. */
  readonly position: CheckpointPosition
  /** The number that the group's next event has; null leaves it as it is. */
  readonly eventCount: number | null
}

/** Moves checkpoints over what will not come; never back. Returns the partitions that have another owner by now. */
export async function passOver(db: Queryable, group: string, standings: readonly Standing[]): Promise<number[]> {
  const { rows } = await db.query<{ partition: number }>(
    `update checkpoint c
     set entry_ms = case when c.entry_ms < s.ms or (c.entry_ms = s.ms and c.entry_seq < s.seq) then s.ms else c.entry_ms end,
       entry_seq = case when c.entry_ms < s.ms or (c.entry_ms = s.ms and c.entry_seq < s.seq) then s.seq else c.entry_seq end,
       event_count = coalesce(s.event_count, c.event_count)
     from unnest($2::int2[], $3::int8[], $4::int8[], $5::int8[], $6::int8[]) as s(partition, epoch, ms, seq, event_count)
     where c."group" = $1 and c.partition = s.partition and c.owner_epoch = s.epoch
     returning c.partition`,
    [
      group,
      standings.map(({ partition }) => partition),
      standings.map(({ epoch }) => epoch),
      standings.map(({ position }) => position.ms),
      standings.map(({ position }) => position.seq),
      standings.map(({ eventCount }) => eventCount),
    ],
  )
  const moved = new Set(rows.map((row) => row.partition))
  return standings.filter(({ partition }) => !moved.has(partition)).map(({ partition }) => partition)
}

/** Holds checkpoints where they are until the transaction ends. Returns the partitions that have another owner by now. */
export async function lockCheckpoints(
  db: Queryable,
  group: string,
  epochs: ReadonlyMap<number, number>,
): Promise<number[]> {
  const { rows } = await db.query<Row>(
    `select ${COLUMNS} from checkpoint where "group" = $1 and partition = any($2::int2[]) order by partition for update`,
    [group, [...epochs.keys()]],
  )
  const found = new Map(rows.map((row) => [row.partition, Number(row.owner_epoch)]))
  return [...epochs].filter(([partition, epoch]) => found.get(partition) !== epoch).map(([partition]) => partition)
}

/** Moves checkpoints by compare-and-set. Returns those that another owner, or another commit of ours, moved first. */
export async function moveCheckpoints(
  db: Queryable,
  group: string,
  moves: readonly CheckpointMove[],
): Promise<number[]> {
  const { rows } = await db.query<{ partition: number }>(
    `update checkpoint c
     set entry_ms = m.to_ms, entry_seq = m.to_seq, event_count = m.event_count, moved_at = now()
     from unnest($2::int2[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[])
       as m(partition, epoch, from_ms, from_seq, to_ms, to_seq, event_count)
     where c."group" = $1 and c.partition = m.partition and c.owner_epoch = m.epoch
       and c.entry_ms = m.from_ms and c.entry_seq = m.from_seq
     returning c.partition`,
    [
      group,
      moves.map((move) => move.partition),
      moves.map((move) => move.epoch),
      moves.map((move) => move.from.ms),
      moves.map((move) => move.from.seq),
      moves.map((move) => move.to.ms),
      moves.map((move) => move.to.seq),
      moves.map((move) => move.eventCount),
    ],
  )
  const moved = new Set(rows.map((row) => row.partition))
  return moves.filter((move) => !moved.has(move.partition)).map((move) => move.partition)
}

function read(row: Row): Checkpoint {
  return {
    partition: row.partition,
    position: { ms: Number(row.entry_ms), seq: Number(row.entry_seq) },
    eventCount: Number(row.event_count),
    epoch: Number(row.owner_epoch),
  }
}
