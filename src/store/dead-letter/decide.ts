/** What an operator decides about dead letters. */
import { Type } from '@sinclair/typebox'
import { INGEST } from '../dead-letter.ts'
import { type CommonQueryMethods, type FragmentSqlToken, row, sql } from '../sql.ts'
import { type LetterFilter, type Selection, selected } from './selection.ts'

const Id = row(Type.Object({ id: Type.String() }))

/** Oldest first, so that a limit that cuts a selection leaves the later ones of a resource. */
const OLDEST_FIRST = sql.fragment`order by entry_ms, entry_seq, partition, entry_index`

/**
 * Asks for a replay of letters of consumer groups; each group's owner does it. Letters of `ingest` are not meant, since
 * no group has them. A filter passes over those asked for already, so that with a limit the next call goes on.
 * @returns how many letters
 */
export function requestReplay(db: CommonQueryMethods, selection: Selection, limit: number): Promise<number> {
  return change(
    db,
    sql.fragment`update dead_letter set requested_at = coalesce(requested_at, now())`,
    sql.fragment`${selected('ids' in selection ? selection : notYet(selection.filter))} and "group" <> ${INGEST}`,
    limit,
  )
}

function notYet(filter: LetterFilter): Selection {
  return { filter: { requested: false, ...filter } }
}

/** Deletes letters for good; one whose replay is under way at this moment is left. @returns how many letters */
export function discardLetters(db: CommonQueryMethods, selection: Selection, limit: number): Promise<number> {
  return change(db, sql.fragment`delete from dead_letter`, selected(selection), limit)
}

async function change(
  db: CommonQueryMethods,
  what: FragmentSqlToken,
  which: FragmentSqlToken,
  limit: number,
): Promise<number> {
  const changed = await db.any(sql.type(Id)`
    with chosen as (select id from dead_letter where ${which} ${OLDEST_FIRST} limit ${limit} for update skip locked)
    ${what} where id in (select id from chosen) returning id`)
  return changed.length
}

/** Ids of letters that never became events, oldest first. */
export async function ingestIds(db: CommonQueryMethods, selection: Selection, limit: number): Promise<string[]> {
  const found = await db.any(sql.type(Id)`
    select id from dead_letter where ${selected(selection)} and "group" = ${INGEST} ${OLDEST_FIRST} limit ${limit}`)
  return found.map(({ id }) => id)
}

const Body = row(Type.Object({ id: Type.String(), body: Type.Unsafe<Buffer>(Type.Uint8Array()) }))

/** The bodies of letters that are still there, oldest first; up to 1.5 MB each, so ask for few. */
export async function letterBodies(db: CommonQueryMethods, ids: readonly string[]) {
  return await db.any(sql.type(Body)`
    select id, body from dead_letter where id = any(${sql.array(ids, 'uuid')}) ${OLDEST_FIRST}`)
}

/** Removes letters that became events. */
export async function removeLetters(db: CommonQueryMethods, ids: readonly string[]): Promise<void> {
  await db.query(sql.type(Id)`delete from dead_letter where id = any(${sql.array(ids, 'uuid')})`)
}

/** Takes note of letters that were refused again, each with its reason. */
export async function noteRefusals(
  db: CommonQueryMethods,
  refusals: readonly { readonly id: string; readonly reason: string }[],
): Promise<void> {
  await db.query(sql.type(Id)`
    update dead_letter set attempts = attempts + 1, last_seen = now(), reason = r.reason
    from ${sql.unnest(
      refusals.map(({ id, reason }) => [id, reason.replaceAll('\0', '')]),
      ['uuid', 'text'],
    )} as r(id, reason)
    where dead_letter.id = r.id`)
}
