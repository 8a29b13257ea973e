import type { Queryable } from './checkpoint.ts'

/** What could not be taken or applied. */
export interface DeadLetter {
  readonly id: string
  /** The group that failed, or `ingest` for what never became an event. */
  readonly group: string
  readonly partition: number
  readonly ms: number
  readonly seq: number
  readonly index: number
  /** The same place in words, for logs: partition/ms-seq/index. */
  readonly position: string
  readonly reason: string
  readonly body: Buffer
}

/** Files dead letters in one statement; one that is there already counts an attempt more. */
export async function insertDeadLetters(db: Queryable, letters: readonly DeadLetter[]): Promise<void> {
  await db.query(
    `insert into dead_letter (id, "group", partition, entry_ms, entry_seq, entry_index, reason, body)
     select * from unnest($1::uuid[], $2::text[], $3::int2[], $4::int8[], $5::int8[], $6::int4[], $7::text[], $8::bytea[])
     on conflict (id) do update set attempts = dead_letter.attempts + 1, last_seen = now(), reason = excluded.reason`,
    [
      letters.map(({ id }) => id),
      letters.map(({ group }) => group),
      letters.map(({ partition }) => partition),
      letters.map(({ ms }) => ms),
      letters.map(({ seq }) => seq),
      letters.map(({ index }) => index),
      letters.map(({ reason }) => reason.replaceAll('\0', '')),
      letters.map(({ body }) => body),
    ],
  )
}
