import { instant } from '../formats.ts'
import { instantOfMs } from '../instant.ts'
import { FilterInvalid } from './invalid.ts'
import { type LabelCriterion, labelCriteria } from './labels.ts'
import type { EventFilter } from './schema.ts'
import { parseTextQuery, type TextCriteria } from './text.ts'

/** A filter made plain: no nulls, no shorthands. An empty list restricts nothing. */
export interface Criteria {
  /** Canonical instants, both inclusive; null for no bound. */
  readonly since: string | null
  readonly until: string | null
  readonly order: 'ASC' | 'DESC'
  readonly ids: readonly string[]
  readonly names: readonly string[]
  readonly namePrefixes: readonly string[]
  readonly excludedNames: readonly string[]
  readonly excludedNamePrefixes: readonly string[]
  readonly resource: ResourceCriteria
  /** Of each resource only the first event in this order. Concerns sets of events: a matcher passes over it. */
  readonly distinct: boolean
  /** For each there must be a related resource for which all of it holds. */
  readonly related: readonly RelatedCriteria[]
  /** For each there must be a resource, own or related, for which all of it holds. */
  readonly anyResource: readonly ResourceCriteria[]
  readonly text: TextCriteria
}

export interface ResourceCriteria {
  readonly ids: readonly string[]
  readonly prefixes: readonly string[]
  readonly labels: readonly LabelCriterion[]
}

export interface RelatedCriteria {
  readonly ids: readonly string[]
  readonly roles: readonly string[]
  /** Pairs of id and role. */
  readonly pairs: readonly (readonly [id: string, role: string])[]
  readonly labels: readonly LabelCriterion[]
}

const DAY_MS = 86_400_000
/** How far back Prefect looks when a filter does not say: to the start of the day this many days ago. */
const DEFAULT_DAYS = 180

/** The filter with the bounds that Prefect's HTTP API gives it where it has none: 180 days back, and now. */
export function withDefaultRange(filter: EventFilter, nowMs: number): EventFilter {
  const firstMs = Math.floor(nowMs / DAY_MS - DEFAULT_DAYS) * DAY_MS
  const since = filter.occurred?.since ?? instantOfMs(firstMs).iso
  return { ...filter, occurred: { since, until: filter.occurred?.until ?? instantOfMs(nowMs).iso } }
}

/** Reads a filter that has the shape of `EventFilter`. @throws FilterInvalid for what the shape can't say */
export function criteriaOf(filter: EventFilter): Criteria {
  refuseImpossibleText(filter, '')
  const { occurred, event, resource, related, any_resource, id, text } = filter
  return {
    since: occurred?.since == null ? null : instant(occurred.since),
    until: occurred?.until == null ? null : instant(occurred.until),
    order: filter.order ?? 'DESC',
    ids: (id?.id ?? []).map((uuid) => uuid.toLowerCase()),
    names: event?.name ?? [],
    namePrefixes: event?.prefix ?? [],
    excludedNames: event?.exclude_name ?? [],
    excludedNamePrefixes: event?.exclude_prefix ?? [],
    resource: resourceCriteria(resource ?? {}),
    distinct: resource?.distinct ?? false,
    related: listOf(related).map(relatedCriteria).filter(restricts),
    anyResource: listOf(any_resource).map(resourceCriteria).filter(restricts),
    text: parseTextQuery(text?.query ?? ''),
  }
}

type ResourceFilter = Exclude<EventFilter['any_resource'], readonly unknown[] | null | undefined>
type RelatedFilter = Exclude<EventFilter['related'], readonly unknown[] | null | undefined>

function resourceCriteria({ id, id_prefix, labels }: ResourceFilter): ResourceCriteria {
  return { ids: id ?? [], prefixes: id_prefix ?? [], labels: labelCriteria(labels) }
}

function relatedCriteria({ id, role, resources_in_roles, labels }: RelatedFilter): RelatedCriteria {
  return { ids: id ?? [], roles: role ?? [], pairs: resources_in_roles ?? [], labels: labelCriteria(labels) }
}

function restricts(criteria: ResourceCriteria | RelatedCriteria): boolean {
  return Object.values(criteria).some((list) => list.length > 0)
}

function listOf<T>(oneOrList: T | T[] | null | undefined): T[] {
  return oneOrList === null || oneOrList === undefined ? [] : Array.isArray(oneOrList) ? oneOrList : [oneOrList]
}

/** Postgres can't be sent NUL, and would be sent another character for half a surrogate pair. No event has them. */
function refuseImpossibleText(value: unknown, path: string): void {
  if (typeof value === 'string' && (value.includes('\0') || !value.isWellFormed())) {
    throw new FilterInvalid(`${path} has a NUL character or half a surrogate pair, which no event can have.`)
  }
  if (typeof value !== 'object' || value === null) return
  for (const [key, member] of Object.entries(value)) {
    refuseImpossibleText(key, `a key of ${path || 'the filter'}`)
    refuseImpossibleText(member, path === '' ? key : `${path}.${key}`)
  }
}
