import type { FlowRunRow } from '#src/events/flow-run.ts'
import type { WorkPoolRow, WorkQueueRow } from '#src/events/work-pool.ts'
import type { Store } from '#src/store/pool.ts'
import { scheduledRuns, slotsOfPools, slotsOfQueues } from '#src/store/work-slots.ts'
import { instant } from './fields.ts'

/** What a worker asks for; instants as clients write them. */
export interface Asked {
  readonly scheduled_before?: string | number | null
  readonly scheduled_after?: string | number | null
  readonly limit: number
}

/**
 * The runs that a worker may take now: those of queues with the lower number first, none of what is paused, and no more
 * than pool and queues have slots free. Two workers may be handed the same run: only one can make it PENDING.
 * @param pool null for a queue by itself
 */
export async function handOut(
  store: Pick<Store, 'read'>,
  pool: WorkPoolRow | null,
  queues: readonly WorkQueueRow[],
  { scheduled_before, scheduled_after, limit }: Asked,
): Promise<FlowRunRow[]> {
  const open = queues.filter(({ is_paused }) => !is_paused).sort((a, b) => a.priority - b.priority)
  if (pool?.is_paused || open.length === 0) return []
  return store.read(async (tx) => {
    const limited = open.filter(({ concurrency_limit }) => concurrency_limit !== null).map(({ id }) => id)
    const taken = limited.length === 0 ? new Map<string, number>() : await slotsOfQueues(tx, limited)
    const most = pool?.concurrency_limit ?? null
    const left =
      pool === null || most === null
        ? limit
        : Math.max(0, most - ((await slotsOfPools(tx, [pool.id])).get(pool.id) ?? 0))
    return scheduledRuns(tx, {
      queues: open.map(({ id, concurrency_limit }) => ({
        id,
        most: concurrency_limit === null ? limit : Math.max(0, concurrency_limit - (taken.get(id) ?? 0)),
      })),
      before: scheduled_before == null ? null : instant(scheduled_before),
      after: scheduled_after == null ? null : instant(scheduled_after),
      limit: Math.min(limit, left),
    })
  })
}
