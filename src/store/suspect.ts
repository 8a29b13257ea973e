import type { Queryable } from './checkpoint.ts'

/** An event's place in the streams, for one group. */
export interface SuspectPlace {
  readonly group: string
  readonly partition: number
  readonly ms: number
  readonly seq: number
  readonly index: number
}

const PLACE = `"group" = $1 and partition = $2 and entry_ms = $3 and entry_seq = $4 and entry_index = $5`

/** Notes that an event is about to be tried. Returns how often that was noted and not taken back, this time included. */
export async function markSuspect(db: Queryable, place: SuspectPlace): Promise<number> {
  const { rows } = await db.query<{ attempts: number }>(
    `insert into suspect ("group", partition, entry_ms, entry_seq, entry_index) values ($1, $2, $3, $4, $5)
     on conflict ("group", partition, entry_ms, entry_seq, entry_index) do update set attempts = suspect.attempts + 1
     returning attempts`,
    values(place),
  )
  return rows[0]?.attempts ?? 1
}

/** Takes the note back, down to `attempts`; at 0 it is gone. */
export async function clearSuspect(db: Queryable, place: SuspectPlace, attempts: number): Promise<void> {
  if (attempts === 0) await db.query(`delete from suspect where ${PLACE}`, values(place))
  else await db.query(`update suspect set attempts = $6 where ${PLACE}`, [...values(place), attempts])
}

/** Forgets what a group has passed. */
export async function forgetSuspects(
  db: Queryable,
  group: string,
  partition: number,
  through: { readonly ms: number; readonly seq: number },
): Promise<void> {
  await db.query(`delete from suspect where "group" = $1 and partition = $2 and (entry_ms, entry_seq) <= ($3, $4)`, [
    group,
    partition,
    through.ms,
    through.seq,
  ])
}

function values({ group, partition, ms, seq, index }: SuspectPlace): unknown[] {
  return [group, partition, ms, seq, index]
}
