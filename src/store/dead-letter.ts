/** Dead letters as a consumer group meets them: it files them, asks which keys wait behind one, and replays them. */
import type { Queryable } from './checkpoint.ts'
import { HOME } from './dead-letter-home.ts'

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
  /** What its order depends on; empty or left out when nothing does. */
  readonly orderingKey?: string
  /** Nothing is known to be wrong with it: it waits behind an older letter of its key, and goes on when that is gone. */
  readonly waits?: boolean
  /** How often it was tried by then; once unless said otherwise. */
  readonly attempts?: number
}

/** A letter that somebody asked to replay, or that has waited for long enough. */
export type DueLetter = Required<DeadLetter>

/** The group of letters that never became events: bodies that senders handed in. */
export const INGEST = 'ingest'

/**
 * Files dead letters in one statement. One that is there already counts an attempt more and is no longer to be replayed:
 * that is how a replay that failed ends.
 */
export async function insertDeadLetters(db: Queryable, letters: readonly DeadLetter[]): Promise<void> {
  await db.query(
    `insert into dead_letter
       (id, "group", partition, entry_ms, entry_seq, entry_index, reason, body, ordering_key, waits, attempts)
     select * from unnest($1::uuid[], $2::text[], $3::int2[], $4::int8[], $5::int8[], $6::int4[], $7::text[],
       $8::bytea[], $9::text[], $10::bool[], $11::int4[])
     on conflict (id) do update set attempts = dead_letter.attempts + 1, last_seen = now(), reason = excluded.reason,
       requested_at = null, ordering_key = coalesce(nullif(excluded.ordering_key, ''), dead_letter.ordering_key),
       waits = excluded.waits`,
    [
      letters.map(({ id }) => id),
      letters.map(({ group }) => group),
      letters.map(({ partition }) => partition),
      letters.map(({ ms }) => ms),
      letters.map(({ seq }) => seq),
      letters.map(({ index }) => index),
      letters.map(({ reason }) => reason.replaceAll('\0', '')),
      letters.map(({ body }) => body),
      letters.map(({ orderingKey = '' }) => orderingKey.replaceAll('\0', '')),
      letters.map(({ waits = false }) => waits),
      letters.map(({ attempts = 1 }) => attempts),
    ],
  )
}

/** An ordering key that has a letter. */
export interface OpenKey {
  readonly group: string
  /** Where events of this key go. */
  readonly partition: number
  readonly key: string
}

/** The ordering keys of groups and partitions that have a letter, whether or not a replay of it was asked for. */
export async function openKeys(
  db: Queryable,
  groups: readonly string[],
  partitions: readonly number[],
): Promise<OpenKey[]> {
  const { rows } = await db.query<OpenKey>(
    `select distinct "group", ${HOME} as partition, ordering_key as key from dead_letter
     where "group" = any($1::text[]) and ${HOME} = any($2::int2[]) and ordering_key <> ''`,
    [groups, partitions],
  )
  return rows
}

/** Those of the groups that have a letter of which a replay was asked for. */
export async function requestedGroups(db: Queryable, groups: readonly string[]): Promise<Set<string>> {
  const { rows } = await db.query<{ group: string }>(
    'select distinct "group" from dead_letter where "group" = any($1::text[]) and requested_at is not null',
    [groups],
  )
  return new Set(rows.map(({ group }) => group))
}

/** True for a letter that holds back younger ones of its key: nobody asked to replay it, and it does not just wait itself. */
const HOLDS = (letter: string) => `not ${letter}.waits and ${letter}.requested_at is null`

/** Letters of one key that are older than another, called `letter`; they may come from several partitions. */
const OLDER = `older."group" = letter."group" and older.ordering_key = letter.ordering_key
  and (older.entry_ms, older.entry_seq, older.entry_index) < (letter.entry_ms, letter.entry_seq, letter.entry_index)`

/** Those of the groups that have letters which wait for nothing any more. */
export async function releasedGroups(
  db: Queryable,
  groups: readonly string[],
  partitions: readonly number[],
): Promise<Set<string>> {
  const { rows } = await db.query<{ group: string }>(
    `select distinct "group" from (
       select "group" from dead_letter l where "group" = any($1::text[]) and ${HOME} = any($2::int2[])
       group by "group", ordering_key having bool_or(waits) and not bool_or(${HOLDS('l')})
     ) released`,
    [groups, partitions],
  )
  return new Set(rows.map(({ group }) => group))
}

interface Row {
  id: string
  partition: number
  entry_ms: string
  entry_seq: string
  entry_index: number
  reason: string
  attempts: number
  body: Buffer
  ordering_key: string
  waits: boolean
}

/**
 * Takes letters that are to be replayed, or that wait for nothing any more, oldest position first, and locks them until the
 * transaction ends. One that an operator is discarding at this moment is passed over.
 * @param tx in a transaction that applies them and then calls `settleReplayed`, or files them again
 */
export async function takeDue(
  tx: Queryable,
  group: string,
  partitions: readonly number[],
  limit: number,
): Promise<DueLetter[]> {
  const { rows } = await tx.query<Row>(
    `select id, partition, entry_ms, entry_seq, entry_index, reason, attempts, body, ordering_key, waits
     from dead_letter letter
     where "group" = $1 and ${HOME} = any($2::int2[]) and (requested_at is not null or waits and not exists (
       select from dead_letter older where ${OLDER} and ${HOLDS('older')}))
     order by entry_ms, entry_seq, partition, entry_index
     limit $3
     for update skip locked`,
    [group, partitions, limit],
  )
  return rows.map((row) => {
    const [ms, seq, index] = [Number(row.entry_ms), Number(row.entry_seq), row.entry_index]
    const { id, partition, reason, attempts, body, waits, ordering_key: orderingKey } = row
    const position = `${partition}/${ms}-${seq}/${index}`
    return { id, group, partition, ms, seq, index, position, reason, attempts, body, waits, orderingKey }
  })
}

/** Ids of those letters that have an older one of the same ordering key, which nobody asked to replay. */
export async function heldByOlder(tx: Queryable, letters: readonly DueLetter[]): Promise<Set<string>> {
  const { rows } = await tx.query<{ id: string }>(
    `select letter.id from dead_letter letter
     where letter.id = any($1::uuid[]) and letter.ordering_key <> ''
       and exists (select from dead_letter older where ${OLDER} and ${HOLDS('older')})`,
    [letters.map(({ id }) => id)],
  )
  return new Set(rows.map(({ id }) => id))
}

/** Removes letters whose events are applied now; in the transaction that applied them. */
export async function settleReplayed(tx: Queryable, ids: readonly string[]): Promise<void> {
  await tx.query('delete from dead_letter where id = any($1::uuid[])', [ids])
}
