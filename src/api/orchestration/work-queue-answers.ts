/** What routes of work queues have in common. */
import type { Static } from '@sinclair/typebox'
import type { WorkQueueRow } from '#src/events/work-pool.ts'
import { type WorkQueueFilter, workQueueIs } from '#src/store/filters/work-pool.ts'
import type { Store } from '#src/store/pool.ts'
import { type FragmentSqlToken, sql } from '#src/store/sql.ts'
import { workQueueTable } from '#src/store/work-pool.ts'
import { slotsOfQueues } from '#src/store/work-slots.ts'
import { limitOf } from './fields.ts'
import { queueOf, type WorkQueueResponse, type WorkQueueUpdate } from './work-pool-schemas.ts'

type Answer = Static<typeof WorkQueueResponse>

async function answerQueues(store: Pick<Store, 'read'>, queues: readonly WorkQueueRow[]): Promise<Answer[]> {
  const limited = queues.filter(({ concurrency_limit }) => concurrency_limit !== null).map(({ id }) => id)
  const taken = limited.length === 0 ? new Map<string, number>() : await store.read((tx) => slotsOfQueues(tx, limited))
  return queues.map((queue) => queueOf(queue, taken.get(queue.id) ?? 0))
}

/** The queue as clients read it, with the slots that are taken where there is a limit. */
export async function answerQueue(store: Pick<Store, 'read'>, queue: WorkQueueRow): Promise<Answer> {
  return (await answerQueues(store, [queue]))[0] as Answer
}

/** A page of the queues that a filter leaves, those of the highest priority first. */
export async function pageOfQueues(
  store: Pick<Store, 'read'>,
  within: FragmentSqlToken,
  body: {
    readonly work_queues?: WorkQueueFilter | null
    readonly limit?: number | null
    readonly offset?: number | null
  },
): Promise<Answer[]> {
  const where = sql.fragment`${within} and ${workQueueIs('t', body.work_queues ?? {})}`
  const rest = sql.fragment`order by t.priority, t.name, t.id limit ${limitOf(body)} offset ${body.offset ?? 0}`
  return answerQueues(store, await store.read((tx) => workQueueTable.select(tx, where, rest)))
}

/** The changes that a body asks for: what it leaves out stays as it is. */
export function queueChanges({
  name,
  description,
  priority,
  last_polled: _,
  ...others
}: Static<typeof WorkQueueUpdate>) {
  return {
    ...others,
    ...(name && { name }),
    ...(description !== undefined && { description: description ?? '' }),
    ...(priority && { priority }),
  }
}
