/** Dead letters as an operator looks at them. */
import { type Static, Type } from '@sinclair/typebox'
import { type CommonQueryMethods, type FragmentSqlToken, row, sql } from '../sql.ts'
import { type LetterFilter, nameBytes, nameIn, selected } from './selection.ts'

const Bytes = Type.Unsafe<Buffer>(Type.Uint8Array())
const Instant = (column: FragmentSqlToken) =>
  sql.fragment`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`

const Summary = Type.Object({
  id: Type.String(),
  group: Type.String(),
  partition: Type.Integer(),
  /** `ms-seq` of the entry. */
  position: Type.String(),
  index: Type.Integer(),
  reason: Type.String(),
  attempts: Type.Integer(),
  orderingKey: Type.String(),
  bytes: Type.Integer(),
  firstSeen: Type.String(),
  lastSeen: Type.String(),
  requestedAt: Type.Union([Type.String(), Type.Null()]),
})
const SummaryRow = row(Type.Composite([Summary, Type.Object({ name: Type.Union([Bytes, Type.Null()]) })]))
const LetterRow = row(
  Type.Composite([Summary, Type.Object({ name: Type.Union([Bytes, Type.Null()]), ms: Type.Integer(), body: Bytes })]),
)

/** A letter without its body. Instants are canonical. */
export interface LetterSummary extends Static<typeof Summary> {
  /** Name of its event; null for what never became one. */
  readonly event: string | null
}

/** A whole letter. */
export interface Letter extends LetterSummary {
  /** When the entry was appended, in epoch milliseconds of Redis' clock. */
  readonly ms: number
  readonly body: Buffer
}

/** The last letter of a page, from which the next one goes on. */
export interface LetterPlace {
  readonly lastSeen: string
  readonly id: string
}

const columns = sql.fragment`id, "group", partition, entry_ms || '-' || entry_seq as position, entry_index as index, reason,
  attempts, ordering_key as "orderingKey", octet_length(body) as bytes, ${Instant(sql.fragment`first_seen`)} as "firstSeen",
  ${Instant(sql.fragment`last_seen`)} as "lastSeen", ${Instant(sql.fragment`requested_at`)} as "requestedAt",
  ${nameBytes} as name`

/** A page of letters, the one seen last first. */
export async function listLetters(
  db: CommonQueryMethods,
  filter: LetterFilter,
  page: { readonly limit: number; readonly after?: LetterPlace | undefined },
): Promise<LetterSummary[]> {
  const { after, limit } = page
  const rest = after ? sql.fragment`(last_seen, id) < (${after.lastSeen}::timestamptz, ${after.id}::uuid)` : ALL
  const rows = await db.any(sql.type(SummaryRow)`
    select ${columns} from dead_letter where ${selected({ filter })} and ${rest}
    order by last_seen desc, id desc limit ${limit}`)
  return rows.map(({ name, ...letter }) => ({ ...letter, event: nameIn(name) }))
}

const ALL = sql.fragment`true`

/** Null when there is no such letter. */
export async function findLetter(db: CommonQueryMethods, id: string): Promise<Letter | null> {
  const found = await db.maybeOne(sql.type(LetterRow)`
    select ${columns}, entry_ms as ms, body from dead_letter where id = ${id}::uuid`)
  if (found === null) return null
  const { name, ...letter } = found
  return { ...letter, event: nameIn(name) }
}

/** How many letters pass a filter, by group, and for how many of these a replay is under way. */
export async function countLetters(db: CommonQueryMethods, filter: LetterFilter) {
  return await db.any(sql.type(CountRow)`
    select "group", count(*) as letters, count(requested_at) as requested
    from dead_letter where ${selected({ filter })} group by "group" order by "group"`)
}

const CountRow = row(Type.Object({ group: Type.String(), letters: Type.Integer(), requested: Type.Integer() }))
