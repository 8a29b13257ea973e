/**
 * The part of a filter that indexes answer: conditions which every matching row meets. Some rows that meet them don't
 * match, since terms are hashes and an event with too many labels is a candidate of every term.
 */

import { RESOURCE_ID, RESOURCE_ROLE } from '#src/events/event.ts'
import type { Criteria, LabelCriterion, RelatedCriteria, ResourceCriteria } from '#src/events/filter.ts'
import { OVERFLOW, ownLabelTerm, relatedLabelTerm } from '#src/events/terms.ts'
import { type FragmentSqlToken, sql } from '../sql.ts'
import { type Conjunction, or, prefixRange, texts } from './fragments.ts'

/** Empty when no index helps. */
export function indexed(criteria: Criteria, alias = 'e'): Conjunction {
  const { ids, names, namePrefixes, resource, related, anyResource } = criteria
  const event = sql.fragment`${sql.identifier([alias, 'event'])}`
  const resourceId = sql.fragment`${sql.identifier([alias, 'resource_id'])}`
  const terms = sql.fragment`${sql.identifier([alias, 'terms'])}`
  const found: Conjunction = []
  if (ids.length > 0) found.push(sql.fragment`${sql.identifier([alias, 'id'])} = any(${sql.array(ids, 'uuid')})`)
  if (names.length > 0) found.push(sql.fragment`${event} = any(${texts(names)})`)
  if (namePrefixes.length > 0) found.push(or(namePrefixes.map((prefix) => prefixRange(event, prefix))))
  if (resource.ids.length > 0) found.push(sql.fragment`${resourceId} = any(${texts(resource.ids)})`)
  if (resource.prefixes.length > 0) found.push(or(resource.prefixes.map((prefix) => prefixRange(resourceId, prefix))))
  for (const { key, exact } of resource.labels.filter(isExact)) {
    if (key === RESOURCE_ID) found.push(sql.fragment`${resourceId} = any(${texts(exact)})`)
    else
      found.push(
        overlap(
          terms,
          exact.map((value) => ownLabelTerm(key, value)),
        ),
      )
  }
  for (const asked of related) found.push(...relatedTerms(asked).map((some) => overlap(terms, some)))
  for (const asked of anyResource) found.push(...someResource(asked, resourceId, terms))
  return found
}

/** Without a wildcard or a negation among the alternatives, which no term stands for. */
function isExact({ prefixes, notExact, notPrefixes }: LabelCriterion): boolean {
  return prefixes.length + notExact.length + notPrefixes.length === 0
}

/** Lists of terms: of each list a matching event has one. */
function relatedTerms({ ids, roles, pairs, labels }: RelatedCriteria): number[][] {
  const idTerm = (id: string) => relatedLabelTerm(RESOURCE_ID, id)
  return [
    ids.map(idTerm),
    roles.map((role) => relatedLabelTerm(RESOURCE_ROLE, role)),
    pairs.map(([id]) => idTerm(id)),
    ...labels.filter(isExact).map(({ key, exact }) => exact.map((value) => relatedLabelTerm(key, value))),
  ].filter((list) => list.length > 0)
}

/** The event's own id is a column; each other label may be the own resource's or a related one's. */
function someResource(
  { ids, labels }: ResourceCriteria,
  resourceId: FragmentSqlToken,
  terms: FragmentSqlToken,
): Conjunction {
  const asked = labels.filter(isExact).map(({ key, exact }) => ({ key, values: exact }))
  if (ids.length > 0) asked.push({ key: RESOURCE_ID, values: ids })
  return asked.map(({ key, values }) => {
    const inRelated = values.map((value) => relatedLabelTerm(key, value))
    if (key !== RESOURCE_ID) return overlap(terms, [...values.map((value) => ownLabelTerm(key, value)), ...inRelated])
    return or([sql.fragment`${resourceId} = any(${texts(values)})`, overlap(terms, inRelated)])
  })
}

function overlap(terms: FragmentSqlToken, some: readonly number[]): FragmentSqlToken {
  return sql.fragment`${terms} && ${sql.array([...some, OVERFLOW], 'int4')}`
}
