import { Type } from '@sinclair/typebox'
import type { Criteria } from '#src/events/filter.ts'
import type { Store } from '../pool.ts'
import { row, sql } from '../sql.ts'
import { matching } from './distinct.ts'
import { walk } from './walk.ts'

export interface CountQuery {
  readonly criteria: Criteria
  /** Where to stop counting. */
  readonly atMost: number
  readonly budgetMs: number
}

export interface EventCount {
  readonly count: number
  /** Whether that is all there are, or how many were counted until the bound or the end of time. */
  readonly exact: boolean
}

const Count = row(Type.Object({ count: Type.Integer() }))

/** How many events match, counted as far as the bounds allow. @throws StoreUnavailable */
export async function countEvents(store: Store, { criteria, atMost, budgetMs }: CountQuery): Promise<EventCount> {
  let count = 0
  const end = await walk(
    store,
    { criteria, after: null, budgetMs },
    {
      look: (tx, rows) =>
        tx.oneFirst(sql.type(Count)`
      select count(*)::int as count from (
        select from (${rows}) e where ${matching(criteria)} limit ${atMost + 1 - count}) m`),
      enough: (found) => count + found > atMost,
      keep: (found) => {
        count += found
      },
    },
  )
  return { count: Math.min(count, atMost), exact: end === null }
}
