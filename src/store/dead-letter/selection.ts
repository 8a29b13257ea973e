import { DELIMITER, QUOTE } from '#src/events/record.ts'
import { type FragmentSqlToken, sql } from '../sql.ts'

/** Which letters: those that pass everything that is set here. */
export interface LetterFilter {
  readonly group?: string | undefined
  readonly partition?: number | undefined
  /** A part of the reason, in any case. */
  readonly reason?: string | undefined
  /** The event's whole name; what never became an event has none. */
  readonly event?: string | undefined
  /** Seen last at this instant or later. */
  readonly since?: string | undefined
  /** Seen last before this instant. */
  readonly until?: string | undefined
  /** Whether a replay was asked for and has not been tried yet. */
  readonly requested?: boolean | undefined
}

/** Letters by their ids, or by a filter. */
export type Selection = { readonly ids: readonly string[] } | { readonly filter: LetterFilter }

/**
 * A record begins with an instant and an id of fixed lengths, and the name follows: a look at the beginning of a body
 * finds it, without decoding any. `events/record.ts` has the form.
 */
const NAME_AT = '2026-11-24T00:04:11.208894Z'.length + 36 + 2 * DELIMITER.length

/** The condition on a row of `dead_letter`. */
export function selected(selection: Selection): FragmentSqlToken {
  if ('ids' in selection) return sql.fragment`id = any(${sql.array(selection.ids, 'uuid')})`
  const { group, partition, reason, event, since, until, requested } = selection.filter
  const all: FragmentSqlToken[] = [sql.fragment`true`]
  if (group !== undefined) all.push(sql.fragment`"group" = ${group}`)
  if (partition !== undefined) all.push(sql.fragment`partition = ${partition}::int2`)
  if (reason !== undefined) all.push(sql.fragment`strpos(lower(reason), lower(${reason})) > 0`)
  if (event !== undefined) all.push(isNamed(event))
  if (since !== undefined) all.push(sql.fragment`last_seen >= ${since}::timestamptz`)
  if (until !== undefined) all.push(sql.fragment`last_seen < ${until}::timestamptz`)
  if (requested !== undefined) all.push(sql.fragment`(requested_at is not null) = ${requested}`)
  return sql.fragment`(${sql.join(all, sql.fragment` and `)})`
}

function isNamed(event: string): FragmentSqlToken {
  const name = Buffer.from(QUOTE + event + QUOTE)
  return sql.fragment`("group" <> 'ingest' and substring(body from ${NAME_AT + 1} for ${name.length}) = ${sql.binary(name)})`
}

/** Longest name, with its marks. */
const NAME_BYTES = 2_562

/** The part of a body in which `nameIn` finds the name; null for what never became an event. */
export const nameBytes = sql.fragment`case when "group" <> 'ingest' then substring(body from ${NAME_AT + 1} for ${NAME_BYTES}) end`

/** The name of a record's event, from what `nameBytes` selects; null when there is none. */
export function nameIn(bytes: Buffer | null): string | null {
  const end = bytes?.indexOf(QUOTE, 1) ?? -1
  return bytes === null || end < 1 || bytes.toString('latin1', 0, 1) !== QUOTE ? null : bytes.toString('utf8', 1, end)
}
