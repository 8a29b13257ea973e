/**
 * The parts that filters of Prefect's API are made of: `{ name: { any_: ['a'], like_: 'b' } }`. Each gives a condition in
 * SQL, or null where it asks for nothing. Schemas of filters forbid what they don't know, as Prefect's do.
 */
import { type Static, type TObject, type TProperties, type TSchema, Type } from '@sinclair/typebox'
import { instant, int4, When } from '#src/events/formats.ts'
import { type FragmentSqlToken, sql } from '../sql.ts'

export type Condition = FragmentSqlToken | null

/** What may be left out, or be null, which is the same. */
export function maybe<T extends TSchema>(schema: T) {
  return Type.Optional(Type.Union([schema, Type.Null()]))
}

/** An object with these members, all of which may be left out, and no others. */
export function terms<T extends TProperties>(members: T): TObject<T> {
  return Type.Object(members, { additionalProperties: false })
}

/** How several terms go together. */
export const Operator = Type.Union([Type.Literal('and_'), Type.Literal('or_')])

/** A filter: its terms hold all, or with `or_` at least one of them. */
export function filterOf<T extends TProperties>(members: T) {
  return terms({ operator: maybe(Operator), ...members })
}

export const Uuid = Type.String({ format: 'uuid' })

export const IdTerm = terms({ any_: maybe(Type.Array(Uuid)), not_any_: maybe(Type.Array(Uuid)) })
export const AnyIdTerm = terms({
  operator: maybe(Operator),
  any_: maybe(Type.Array(Uuid)),
  is_null_: maybe(Type.Boolean()),
})
export const NameTerm = terms({ any_: maybe(Type.Array(Type.String())), like_: maybe(Type.String()) })
export const TextTerm = terms({
  operator: maybe(Operator),
  any_: maybe(Type.Array(Type.String())),
  not_any_: maybe(Type.Array(Type.String())),
  is_null_: maybe(Type.Boolean()),
})
export const TagsTerm = terms({
  operator: maybe(Operator),
  all_: maybe(Type.Array(Type.String())),
  any_: maybe(Type.Array(Type.String())),
  is_null_: maybe(Type.Boolean()),
})
export const TimeTerm = terms({ before_: maybe(When), after_: maybe(When), is_null_: maybe(Type.Boolean()) })
export const NumberTerm = terms({
  ge_: maybe(int4()),
  le_: maybe(int4()),
  is_null_: maybe(Type.Boolean()),
})

const ALWAYS = sql.fragment`true`

/** A column of a row, by the name that the row has in the statement. */
export function columnOf(alias: string, name: string): FragmentSqlToken {
  return sql.fragment`${sql.identifier([alias, name])}`
}

/** All conditions, or with `or_` any of them; true when there is none. */
export function joined(operator: string | null | undefined, conditions: readonly Condition[]): FragmentSqlToken {
  const asked = conditions.filter((condition) => condition !== null)
  if (asked.length === 0) return ALWAYS
  const glue = operator === 'or_' ? sql.fragment` or ` : sql.fragment` and `
  return sql.fragment`(${sql.join(asked, glue)})`
}

/** The same, null when there is none. */
export function group(operator: string | null | undefined, conditions: readonly Condition[]): Condition {
  return conditions.every((condition) => condition === null) ? null : joined(operator, conditions)
}

export function idIs(column: FragmentSqlToken, term: Static<typeof IdTerm> | null | undefined): Condition {
  if (!term) return null
  return group('and_', [
    term.any_ ? sql.fragment`${column} = any(${sql.array(term.any_, 'uuid')})` : null,
    term.not_any_ ? sql.fragment`${column} <> all(${sql.array(term.not_any_, 'uuid')})` : null,
  ])
}

export function anyIdIs(column: FragmentSqlToken, term: Static<typeof AnyIdTerm> | null | undefined): Condition {
  if (!term) return null
  return group(term.operator, [
    term.any_ ? sql.fragment`${column} = any(${sql.array(term.any_, 'uuid')})` : null,
    isNull(column, term.is_null_),
  ])
}

/** `like_` is found anywhere, in capitals or not. */
export function nameIs(column: FragmentSqlToken, term: Static<typeof NameTerm> | null | undefined): Condition {
  if (!term) return null
  return group('and_', [
    term.any_ ? sql.fragment`${column} = any(${sql.array(term.any_, 'text')})` : null,
    term.like_ ? sql.fragment`${column} ilike ${`%${term.like_}%`}` : null,
  ])
}

export function textIs(column: FragmentSqlToken, term: Static<typeof TextTerm> | null | undefined): Condition {
  if (!term) return null
  return group(term.operator, [
    term.any_ ? sql.fragment`${column} = any(${sql.array(term.any_, 'text')})` : null,
    term.not_any_ ? sql.fragment`${column} <> all(${sql.array(term.not_any_, 'text')})` : null,
    isNull(column, term.is_null_),
  ])
}

/** `is_null_` asks for what has no tags at all. */
export function tagsAre(column: FragmentSqlToken, term: Static<typeof TagsTerm> | null | undefined): Condition {
  if (!term) return null
  const empty = sql.fragment`${column} = '{}'`
  return group(term.operator, [
    term.all_?.length ? sql.fragment`${column} @> ${sql.array(term.all_, 'text')}` : null,
    term.any_ ? sql.fragment`${column} && ${sql.array(term.any_, 'text')}` : null,
    typeof term.is_null_ === 'boolean' ? (term.is_null_ ? empty : sql.fragment`not (${empty})`) : null,
  ])
}

/** Both ends included. */
export function timeIs(column: FragmentSqlToken, term: Static<typeof TimeTerm> | null | undefined): Condition {
  if (!term) return null
  return group('and_', [
    term.before_ != null ? sql.fragment`${column} <= ${instant(term.before_)}::timestamptz` : null,
    term.after_ != null ? sql.fragment`${column} >= ${instant(term.after_)}::timestamptz` : null,
    isNull(column, term.is_null_),
  ])
}

export function numberIs(column: FragmentSqlToken, term: Static<typeof NumberTerm> | null | undefined): Condition {
  if (!term) return null
  return group('and_', [
    term.ge_ != null ? sql.fragment`${column} >= ${term.ge_}` : null,
    term.le_ != null ? sql.fragment`${column} <= ${term.le_}` : null,
    isNull(column, term.is_null_),
  ])
}

function isNull(column: FragmentSqlToken, asked: boolean | null | undefined): Condition {
  if (typeof asked !== 'boolean') return null
  return asked ? sql.fragment`${column} is null` : sql.fragment`${column} is not null`
}
