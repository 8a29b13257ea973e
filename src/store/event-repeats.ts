import type { Queryable } from './checkpoint.ts'

/** An event, and where it was met. */
export interface MetEvent {
  readonly id: string
  /** Canonical instant. */
  readonly occurred: string
  readonly position: { readonly partition: number; readonly ms: number; readonly seq: number; readonly index: number }
}

/**
 * Which of these events the log has at another place: they were appended a second time, after the dedup window or after
 * Redis had lost it, and the log keeps the first. What the log doesn't have yet is no repeat.
 * @returns their indices
 */
export async function findRepeats(db: Queryable, events: readonly MetEvent[]): Promise<Set<number>> {
  const first = events[0]
  if (first === undefined) return new Set()
  let [from, to] = [first.occurred, first.occurred]
  for (const { occurred } of events) {
    if (occurred < from) from = occurred
    if (occurred > to) to = occurred
  }
  // The bounds are for the planner, which would look into every day without them. As a plain join it would read all events
  // between them for every batch, since its statistics lag behind a day that grows: 57 ms for 1,800 events instead of 6.
  const { rows } = await db.query<{ n: string }>(
    `select met.n from unnest($1::timestamptz[], $2::uuid[], $3::int2[], $4::int8[], $5::int8[], $6::int4[])
       with ordinality as met(occurred, id, partition, ms, seq, i, n)
     cross join lateral (
       select partition, entry_ms, entry_seq, entry_index from event
       where occurred = met.occurred and id = met.id and occurred between $7::timestamptz and $8::timestamptz limit 1
     ) e
     where (e.partition, e.entry_ms, e.entry_seq, e.entry_index) <> (met.partition, met.ms, met.seq, met.i)`,
    [
      arrayOf(events, ({ occurred }) => occurred),
      arrayOf(events, ({ id }) => id),
      arrayOf(events, ({ position }) => position.partition),
      arrayOf(events, ({ position }) => position.ms),
      arrayOf(events, ({ position }) => position.seq),
      arrayOf(events, ({ position }) => position.index),
      from,
      to,
    ],
  )
  return new Set(rows.map(({ n }) => Number(n) - 1))
}

/** An array as Postgres reads it. None of these values needs an escape, for which pg's own way looks at every character. */
function arrayOf(events: readonly MetEvent[], of: (event: MetEvent) => string | number): string {
  return `{${events.map(of).join(',')}}`
}
