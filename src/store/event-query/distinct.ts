import type { Criteria } from '#src/events/filter.ts'
import { type FragmentSqlToken, sql } from '../sql.ts'
import { matches } from './where.ts'

/**
 * Whether row `e` belongs to the answer: it matches and, where the filter wants distinct resources, no other matching
 * event of its resource comes before it in the filter's range and order. Asked of each row by itself, so that pages by
 * keyset need not know of the pages before.
 */
export function matching(criteria: Criteria): FragmentSqlToken {
  if (!criteria.distinct) return matches(criteria)
  const { order, since, until } = criteria
  const earlier = order === 'ASC' ? sql.fragment`<` : sql.fragment`>`
  const bound = order === 'ASC' ? (since ?? '-infinity') : (until ?? 'infinity')
  // The two on occurred alone let Postgres pass over partitions, which it can't tell from the pair.
  return sql.fragment`${matches(criteria)} and not exists (
    select from event n where n.resource_id = e.resource_id
      and n.occurred ${earlier}= e.occurred and n.occurred ${flipped(order)} ${bound}::timestamptz
      and (n.occurred, n.id) ${earlier} (e.occurred, e.id) and ${matches(criteria, 'n')})`
}

function flipped(order: Criteria['order']): FragmentSqlToken {
  return order === 'ASC' ? sql.fragment`>=` : sql.fragment`<=`
}
