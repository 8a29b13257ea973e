import { type FragmentSqlToken, sql } from '../sql.ts'

/** Conditions that must all hold. */
export type Conjunction = FragmentSqlToken[]

/** All of them; true for none. */
export function and(conditions: readonly FragmentSqlToken[]): FragmentSqlToken {
  if (conditions.length === 0) return sql.fragment`true`
  return sql.fragment`(${sql.join(conditions, sql.fragment` and `)})`
}

/** One of them; false for none. */
export function or(conditions: readonly FragmentSqlToken[]): FragmentSqlToken {
  if (conditions.length === 0) return sql.fragment`false`
  return sql.fragment`(${sql.join(conditions, sql.fragment` or `)})`
}

export function texts(values: readonly string[]) {
  return sql.array(values, 'text')
}

/** Text of a column under the collation "C" that begins with a prefix, as a range that an index can find. */
export function prefixRange(column: FragmentSqlToken, prefix: string): FragmentSqlToken {
  const end = afterPrefix(prefix)
  if (end === null) return sql.fragment`${column} >= ${prefix}`
  return sql.fragment`(${column} >= ${prefix} and ${column} < ${end})`
}

/** The least text after all that begin with this, in the order of code points; null when there is none. */
export function afterPrefix(prefix: string): string | null {
  const points = [...prefix].map((char) => char.codePointAt(0) as number)
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === 0x10ffff) continue
    const next = last === 0xd7ff ? 0xe000 : last + 1 // between them are surrogates, which no text has alone
    return String.fromCodePoint(...points, next)
  }
  return null
}
