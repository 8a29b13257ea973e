/** Finds concurrency limits: by the names that clients know, and by who has slots of them. */
import type { ConcurrencyLimitRow } from '#src/events/concurrency-limit.ts'
import { concurrencyLimitTable } from '#src/store/concurrency-limit.ts'
import type { Store } from '#src/store/pool.ts'
import { type FragmentSqlToken, sql } from '#src/store/sql.ts'
import { derivedId } from '../ids.ts'
import type { Records } from '../stored-record.ts'

export interface SlotNeeds {
  readonly commands: Records
  readonly store: Pick<Store, 'queries'>
}

export type Limits = readonly ConcurrencyLimitRow[]

/** The id of the limit that is created with a name. */
export function limitId(name: string): string {
  return derivedId('concurrency-limit', name)
}

/** The limits with these names; those that don't exist limit nothing. Ordered by id. */
export function limitsNamed({ store }: Pick<SlotNeeds, 'store'>, names: readonly string[]): Promise<Limits> {
  return limitsWhere(store, sql.fragment`t.name = any(${sql.array([...names], 'text')})`)
}

/** The limits of which a lease holds slots. Ordered by id. */
export function limitsOfLease({ store }: Pick<SlotNeeds, 'store'>, leaseId: string): Promise<Limits> {
  return limitsWhere(store, sql.fragment`t.lease_ids @> ${sql.array([leaseId], 'text')}`)
}

/** Limits with leases that ended before an instant; at most `page` of them, those first that have waited longest. */
export function limitsToReap({ store }: Pick<SlotNeeds, 'store'>, before: string, page: number): Promise<Limits> {
  const ended = sql.fragment`t.next_end < ${before}::timestamptz`
  return limitsWhere(store, ended, sql.fragment`order by t.next_end limit ${page}`)
}

function limitsWhere(
  { queries }: SlotNeeds['store'],
  where: FragmentSqlToken,
  rest = sql.fragment`order by t.id`,
): Promise<Limits> {
  return concurrencyLimitTable.select(queries, where, rest)
}
