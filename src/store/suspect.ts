import type { Queryable } from './checkpoint.ts'

/** An event's place in the streams, for one group, as the owner of its partition knows it. */
export interface SuspectPlace {
  readonly group: string
  readonly partition: number
  /** The owner's: when another one has the partition by now, nothing is written, since the notes are his. */
  readonly epoch: number
  readonly ms: number
  readonly seq: number
  readonly index: number
}

/** A row while the epoch holds; the next owner's has to wait until the statement is done. */
const OWNER = `with owner as (
  select from checkpoint where "group" = $1 and partition = $2 and owner_epoch = $3 for share)`
const PLACE = `"group" = $1 and partition = $2 and entry_ms = $4 and entry_seq = $5 and entry_index = $6`

/**
 * Notes that an event is about to be tried. Returns how often that was noted and not taken back, this time included; null
 * when the epoch is over.
 */
export async function markSuspect(db: Queryable, place: SuspectPlace): Promise<number | null> {
  const { rows } = await db.query<{ attempts: number }>(
    `${OWNER}
     insert into suspect ("group", partition, entry_ms, entry_seq, entry_index)
     select $1, $2, $4::int8, $5::int8, $6::int4 from owner
     on conflict ("group", partition, entry_ms, entry_seq, entry_index) do update set attempts = suspect.attempts + 1
     returning attempts`,
    values(place),
  )
  return rows[0]?.attempts ?? null
}

/** Takes the note back, down to `attempts`; at 0 it is gone. */
export async function clearSuspect(db: Queryable, place: SuspectPlace, attempts: number): Promise<void> {
  if (attempts === 0) await db.query(`${OWNER} delete from suspect using owner where ${PLACE}`, values(place))
  else
    await db.query(`${OWNER} update suspect set attempts = $7 from owner where ${PLACE}`, [...values(place), attempts])
}

/** Forgets what a group has passed: the place and those before it. */
export async function forgetSuspects(db: Queryable, place: Omit<SuspectPlace, 'index'>): Promise<void> {
  const { group, partition, epoch, ms, seq } = place
  await db.query(
    `${OWNER} delete from suspect using owner
     where "group" = $1 and partition = $2 and (entry_ms, entry_seq) <= ($4::int8, $5::int8)`,
    [group, partition, epoch, ms, seq],
  )
}

function values({ group, partition, epoch, ms, seq, index }: SuspectPlace): unknown[] {
  return [group, partition, epoch, ms, seq, index]
}
