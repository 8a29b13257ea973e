/** A filter's criteria as conditions on a row of `event`. They say exactly what `compileFilter` says in memory. */

import { RESOURCE_ID, RESOURCE_ROLE } from '#src/events/event.ts'
import type {
  Criteria,
  LabelCriterion,
  RelatedCriteria,
  ResourceCriteria,
  TextCriteria,
  TextTerm,
} from '#src/events/filter.ts'
import { type FragmentSqlToken, sql } from '../sql.ts'
import { and, type Conjunction, or, texts } from './fragments.ts'
import { indexed } from './indexed.ts'

/**
 * All that the filter asks except for its range of time. Holds the conditions of `indexed` too: they are cheap, and let
 * Postgres pass over most rows before it looks into JSON.
 */
export function matches(criteria: Criteria, alias = 'e'): FragmentSqlToken {
  const e = sql.identifier([alias])
  const found: Conjunction = [...indexed(criteria, alias)]
  if (criteria.excludedNames.length > 0) found.push(sql.fragment`${e}.event <> all(${texts(criteria.excludedNames)})`)
  for (const prefix of criteria.excludedNamePrefixes) found.push(sql.fragment`not starts_with(${e}.event, ${prefix})`)
  const own = sql.fragment`${e}.resource`
  found.push(...criteria.resource.labels.map((label) => labelHolds(label, own)))
  for (const asked of criteria.related) found.push(someRelated(e, related(asked)))
  for (const asked of criteria.anyResource) {
    found.push(or([and(resource(asked, own)), someRelated(e, resource(asked, sql.fragment`r.labels`))]))
  }
  found.push(...textConditions(criteria.text, alias))
  return and(found)
}

function someRelated(e: ReturnType<typeof sql.identifier>, conditions: Conjunction): FragmentSqlToken {
  return sql.fragment`exists (select from json_array_elements(${e}.related) as r(labels) where ${and(conditions)})`
}

function resource({ ids, prefixes, labels }: ResourceCriteria, of: FragmentSqlToken): Conjunction {
  const id = sql.fragment`(${of} ->> ${RESOURCE_ID})`
  const found: Conjunction = []
  if (ids.length > 0) found.push(sql.fragment`${id} = any(${texts(ids)})`)
  if (prefixes.length > 0) found.push(or(prefixes.map((prefix) => sql.fragment`starts_with(${id}, ${prefix})`)))
  return [...found, ...labels.map((label) => labelHolds(label, of))]
}

function related({ ids, roles, pairs, labels }: RelatedCriteria): Conjunction {
  const id = sql.fragment`(r.labels ->> ${RESOURCE_ID})`
  const role = sql.fragment`(r.labels ->> ${RESOURCE_ROLE})`
  const found: Conjunction = []
  if (ids.length > 0) found.push(sql.fragment`${id} = any(${texts(ids)})`)
  if (roles.length > 0) found.push(sql.fragment`${role} = any(${texts(roles)})`)
  if (pairs.length > 0) found.push(or(pairs.map((pair) => sql.fragment`(${id} = ${pair[0]} and ${role} = ${pair[1]})`)))
  return [...found, ...labels.map((label) => labelHolds(label, sql.fragment`r.labels`))]
}

/** A label that isn't there gives null in each alternative, which is as good as false: nothing here is negated. */
function labelHolds(
  { key, exact, prefixes, notExact, notPrefixes }: LabelCriterion,
  of: FragmentSqlToken,
): FragmentSqlToken {
  const value = sql.fragment`(${of} ->> ${key})`
  return or([
    ...(exact.length > 0 ? [sql.fragment`${value} = any(${texts(exact)})`] : []),
    ...prefixes.map((prefix) => sql.fragment`starts_with(${value}, ${prefix})`),
    ...notExact.map((other) => sql.fragment`${value} <> ${other}`),
    ...notPrefixes.map((prefix) => sql.fragment`not starts_with(${value}, ${prefix})`),
  ])
}

function textConditions({ any, all, none }: TextCriteria, alias: string): Conjunction {
  const found = all.map((term) => contains(term, alias))
  if (any.length > 0) found.push(or(any.map((term) => contains(term, alias))))
  return [...found, ...none.map((term) => sql.fragment`not ${contains(term, alias)}`)]
}

/**
 * Looks into labels only where their JSON text has the term, or a backslash: only an escape can hide one. That leaves
 * four searches of text for most rows. json_each_text is ten times as dear.
 */
function contains(term: TextTerm, alias: string): FragmentSqlToken {
  const e = sql.identifier([alias])
  const mayHold = (json: FragmentSqlToken) =>
    sql.fragment`(${found(term, sql.fragment`${json}::text`)} or strpos(${json}::text, ${'\\'}) > 0)`
  return sql.fragment`(${found(term, sql.fragment`${e}.event`)}
    or ${found(term, sql.fragment`${e}.payload::text`)}
    or (${mayHold(sql.fragment`${e}.resource`)}
      and exists (select from json_each_text(${e}.resource) l where ${found(term, sql.fragment`l.value`)}))
    or (${mayHold(sql.fragment`${e}.related`)}
      and exists (select from json_array_elements(${e}.related) r(labels), json_each_text(r.labels) l
        where ${found(term, sql.fragment`l.value`)})))`
}

function found({ folded, pattern }: TextTerm, text: FragmentSqlToken): FragmentSqlToken {
  const lowered = sql.fragment`lower(${text} collate "C")`
  return pattern === null ? sql.fragment`strpos(${lowered}, ${folded}) > 0` : sql.fragment`${lowered} ~ ${pattern}`
}
