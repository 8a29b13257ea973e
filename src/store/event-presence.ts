import { ID_IN_RECORD } from '#src/events/record.ts'
import type { Queryable } from './checkpoint.ts'

/** An event as the log finds it. */
interface Sought {
  readonly id: string
  readonly occurredMs: number
}

/**
 * Which of these events are not in the log. Asked by id within two milliseconds of the time it occurred, so that each
 * one is a look into one index of one day.
 */
export async function missingEvents(db: Queryable, events: readonly Sought[]): Promise<Set<string>> {
  const { rows } = await db.query<{ id: string }>(
    `select wanted.id from unnest($1::uuid[], $2::float8[]) as wanted(id, ms)
     where not exists (
       select from event
       where event.id = wanted.id
         and event.occurred >= to_timestamp((wanted.ms - 1) / 1000) and event.occurred < to_timestamp((wanted.ms + 2) / 1000))`,
    [events.map(({ id }) => id), events.map(({ occurredMs }) => occurredMs)],
  )
  return new Set(rows.map(({ id }) => id))
}

/**
 * Which of these events were not appended a short while ago, as far as the log tells: it has none of the same id that
 * occurred about now. Senders may give an event another time with each attempt, and those that give none do.
 */
export async function newEvents(db: Queryable, events: readonly Sought[]): Promise<Set<string>> {
  const open = await missingEvents(db, events)
  const { rows } = await db.query<{ id: string }>(
    `select id from event
     where id = any($1::uuid[]) and occurred > now() - interval '1 day' and occurred < now() + interval '1 day'`,
    [[...open]],
  )
  for (const { id } of rows) open.delete(id)
  return open
}

/** What is asked about events that were appended, perhaps by somebody else before. */
export interface Doubts {
  readonly events: readonly Sought[]
  /** Ids of those that had been appended before: perhaps they occurred at another time then. */
  readonly repeated: ReadonlySet<string>
  /** The group that writes the log, and how long ago it may have set one of them aside. */
  readonly group: string
  readonly withinMs: number
}

/** Of which of these events it is not decided yet what becomes of them: they are neither in the log nor set aside. */
export async function undecidedEvents(
  db: Queryable,
  { events, repeated, group, withinMs }: Doubts,
): Promise<ReadonlySet<string>> {
  const open = await missingEvents(db, events)
  const again = [...open].filter((id) => repeated.has(id))
  if (again.length > 0) for (const id of await inLogAtAnyTime(db, again)) open.delete(id)
  if (open.size > 0) for (const id of await setAside(db, group, [...open], withinMs)) open.delete(id)
  return open
}

/** A look into an index of each day: for few ids. */
async function inLogAtAnyTime(db: Queryable, ids: readonly string[]): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>('select id from event where id = any($1::uuid[])', [ids])
  return rows.map(({ id }) => id)
}

/** The id is read out of the record that a letter keeps; only letters of a short time are looked at. */
async function setAside(db: Queryable, group: string, ids: readonly string[], withinMs: number): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `select convert_from(substring(body from $1 for $2), 'latin1') as id from dead_letter
     where "group" = $3 and last_seen > now() - $4 * interval '1 ms' and substring(body from $1 for $2) = any($5::bytea[])`,
    [ID_IN_RECORD.at + 1, ID_IN_RECORD.length, group, withinMs, ids.map((id) => Buffer.from(id))],
  )
  return rows.map(({ id }) => id)
}
