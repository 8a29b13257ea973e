import { RESOURCE_ID, RESOURCE_ROLE, type Resource } from '../event.ts'
import type { Criteria, RelatedCriteria, ResourceCriteria } from './criteria.ts'
import { labelsHold } from './labels.ts'
import { foldAscii, type TextCriteria, type TextTerm } from './text.ts'

/** An event as a filter sees it. Members may be getters: each is read only if the filter asks for it. */
export interface FilterableEvent {
  readonly id: string
  /** Canonical instant. */
  readonly occurred: string
  readonly event: string
  readonly resource: Resource
  readonly related: readonly Resource[]
  /** JSON text as it was sent: text search looks at nothing else of it. */
  readonly payload: string
}

type Test = (event: FilterableEvent) => boolean

/**
 * The filter as a function, cheapest questions first. It says what the log's query says, for any event; only `order` and
 * `distinct` mean nothing to it.
 */
export function compileFilter(criteria: Criteria): (event: FilterableEvent) => boolean {
  const tests = [
    ...rangeTests(criteria),
    ...nameTests(criteria),
    ...resourceTests(criteria),
    ...textTests(criteria.text),
  ]
  return (event) => tests.every((test) => test(event))
}

function rangeTests({ since, until, ids }: Criteria): Test[] {
  const tests: Test[] = []
  if (since !== null) tests.push(({ occurred }) => occurred >= since)
  if (until !== null) tests.push(({ occurred }) => occurred <= until)
  if (ids.length > 0) tests.push(among(ids, ({ id }) => id))
  return tests
}

function nameTests({ names, namePrefixes, excludedNames, excludedNamePrefixes }: Criteria): Test[] {
  const tests: Test[] = []
  if (names.length > 0) tests.push(among(names, ({ event }) => event))
  if (namePrefixes.length > 0) tests.push(({ event }) => namePrefixes.some((prefix) => event.startsWith(prefix)))
  if (excludedNames.length > 0) tests.push(not(among(excludedNames, ({ event }) => event)))
  if (excludedNamePrefixes.length > 0)
    tests.push(({ event }) => !excludedNamePrefixes.some((prefix) => event.startsWith(prefix)))
  return tests
}

function resourceTests({ resource, related, anyResource }: Criteria): Test[] {
  return [
    ({ resource: own }) => resourceHolds(resource, own),
    ...related.map(
      (asked): Test =>
        (event) =>
          event.related.some((other) => relatedHolds(asked, other)),
    ),
    ...anyResource.map(
      (asked): Test =>
        (event) =>
          resourceHolds(asked, event.resource) || event.related.some((other) => resourceHolds(asked, other)),
    ),
  ]
}

function resourceHolds({ ids, prefixes, labels }: ResourceCriteria, resource: Resource): boolean {
  const id = resource[RESOURCE_ID] as string
  return (
    (ids.length === 0 || ids.includes(id)) &&
    (prefixes.length === 0 || prefixes.some((prefix) => id.startsWith(prefix))) &&
    labelsHold(labels, resource)
  )
}

function relatedHolds({ ids, roles, pairs, labels }: RelatedCriteria, resource: Resource): boolean {
  const id = resource[RESOURCE_ID] as string
  const role = resource[RESOURCE_ROLE] as string
  return (
    (ids.length === 0 || ids.includes(id)) &&
    (roles.length === 0 || roles.includes(role)) &&
    (pairs.length === 0 || pairs.some((pair) => pair[0] === id && pair[1] === role)) &&
    labelsHold(labels, resource)
  )
}

function textTests({ any, all, none }: TextCriteria): Test[] {
  const tests = all.map(contains)
  if (any.length > 0) {
    const alternatives = any.map(contains)
    tests.push((event) => alternatives.some((test) => test(event)))
  }
  return [...tests, ...none.map((term) => not(contains(term)))]
}

function contains(term: TextTerm): Test {
  const found = finder(term)
  return ({ event, resource, related, payload }) =>
    found(event) || found(payload) || [resource, ...related].some((labels) => Object.values(labels).some(found))
}

function finder({ folded, pattern }: TextTerm): (text: string) => boolean {
  if (pattern === null) return (text) => foldAscii(text).includes(folded)
  const expression = new RegExp(pattern, 'u')
  return (text) => expression.test(foldAscii(text))
}

function among(values: readonly string[], get: (event: FilterableEvent) => string): Test {
  const set = new Set(values)
  return (event) => set.has(get(event))
}

function not(test: Test): Test {
  return (event) => !test(event)
}
