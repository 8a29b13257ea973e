/** The loss ledger: entries that a consumer group needed and that Redis has lost. */
import { Type } from '@sinclair/typebox'
import type { Queryable } from './checkpoint.ts'
import { type CommonQueryMethods, row, sql } from './sql.ts'

/** A place in a partition, as the table keeps it. */
export interface LossPosition {
  readonly ms: number
  readonly seq: number
}

/**
 * `flushed`: the stream began anew. `trimmed`: somebody else removed entries. `missing`: running numbers are skipped, as after a foreign XTRIM.
 * `rolled_back`: Redis came back with an older state.
 */
export type LossCause = 'flushed' | 'trimmed' | 'missing' | 'rolled_back'

/** Entries that are gone, between two positions of a partition, both included. */
export interface Loss {
  readonly group: string
  readonly partition: number
  readonly first: LossPosition
  readonly last: LossPosition
  /** How many entries; null when not known. */
  readonly entries: number | null
  /** How many events; null when not known. */
  readonly events: number | null
  readonly cause: LossCause
  /** What was seen, in words. */
  readonly detail: string
}

/** Records losses in one statement. Returns those that were not known yet, which is what may be counted. */
export async function insertLosses(db: Queryable, losses: readonly Loss[]): Promise<Loss[]> {
  if (losses.length === 0) return []
  const { rows } = await db.query<{ place: string }>(
    `insert into loss ("group", partition, first_ms, first_seq, last_ms, last_seq, entries, events, cause, detail)
     select * from unnest($1::text[], $2::int2[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[],
       $9::text[], $10::text[])
     on conflict ("group", partition, first_ms, first_seq, last_ms, last_seq) do nothing
     returning concat_ws('/', "group", partition, first_ms, first_seq, last_ms, last_seq) as place`,
    [
      losses.map(({ group }) => group),
      losses.map(({ partition }) => partition),
      losses.map(({ first }) => first.ms),
      losses.map(({ first }) => first.seq),
      losses.map(({ last }) => last.ms),
      losses.map(({ last }) => last.seq),
      losses.map(({ entries }) => entries),
      losses.map(({ events }) => events),
      losses.map(({ cause }) => cause),
      losses.map(({ detail }) => detail.replaceAll('\0', '')),
    ],
  )
  const fresh = new Set(rows.map(({ place }) => place))
  return losses.filter((loss) => fresh.delete(placeOf(loss)))
}

/** True when the ledger has a loss of the same group and partition that reaches over the end of this one. */
export async function isTold(
  db: Queryable,
  { group, partition, last }: Pick<Loss, 'group' | 'partition' | 'last'>,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `select from loss where "group" = $1 and partition = $2
       and (first_ms, first_seq) <= ($3::int8, $4::int8) and (last_ms, last_seq) >= ($3::int8, $4::int8) limit 1`,
    [group, partition, last.ms, last.seq],
  )
  return rowCount === 1
}

/** How many events the log has of entries between two positions of a partition, both included. */
export async function countPersisted(
  db: Queryable,
  { partition, first, last }: Pick<Loss, 'partition' | 'first' | 'last'>,
): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `select count(*)::int4 as count from event where partition = $1
       and (entry_ms, entry_seq) >= ($2::int8, $3::int8) and (entry_ms, entry_seq) <= ($4::int8, $5::int8)`,
    [partition, first.ms, first.seq, last.ms, last.seq],
  )
  return rows[0]?.count ?? 0
}

function placeOf({ group, partition, first, last }: Loss): string {
  return [group, partition, first.ms, first.seq, last.ms, last.seq].join('/')
}

/** A loss as the ledger keeps it. */
const LossRow = Type.Object({
  id: Type.Integer(),
  group: Type.String(),
  partition: Type.Integer(),
  first: Type.String(),
  last: Type.String(),
  entries: Type.Union([Type.Integer(), Type.Null()]),
  events: Type.Union([Type.Integer(), Type.Null()]),
  cause: Type.String(),
  detail: Type.String(),
  detectedAt: Type.String(),
})

/** What to list of the ledger. */
export interface LossQuery {
  readonly group?: string | undefined
  readonly partition?: number | undefined
  /** Only those recorded before this one: the id of the last of the page before. */
  readonly beforeId?: number | undefined
  readonly limit: number
}

/** The newest first; positions as `ms-seq`, `detectedAt` as a canonical instant. */
export async function listLosses(db: CommonQueryMethods, { group, partition, beforeId, limit }: LossQuery) {
  return await db.any(sql.type(row(LossRow))`
    select id, "group", partition, first_ms || '-' || first_seq as first, last_ms || '-' || last_seq as last,
      entries, events, cause, detail,
      to_char(detected_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "detectedAt"
    from loss
    where (${group ?? null}::text is null or "group" = ${group ?? null})
      and (${partition ?? null}::int2 is null or partition = ${partition ?? null}::int2)
      and (${beforeId ?? null}::int8 is null or id < ${beforeId ?? null}::int8)
    order by id desc
    limit ${limit}`)
}
