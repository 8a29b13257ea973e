/** `POST /millrace/testing/reset`: for suites that want an empty server. There only with `MILLRACE_TESTING`. */
import { Type } from '@sinclair/typebox'
import type { Bus } from '#src/bus/index.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { emptyTables } from '#src/store/empty-tables.ts'
import type { Store } from '#src/store/pool.ts'
import { StoreUnavailable } from '../errors.ts'
import type { Route } from './route.ts'

export interface TestingNeeds {
  readonly bus: Pick<Bus, 'inspector' | 'partitions' | 'forgetSeen'>
  readonly store: Store
  readonly projections: readonly Projection[]
}

const APPLIED_WITHIN_MS = 10_000
const LOOK_EVERY_MS = 20

export const testing: Route<TestingNeeds> = (app, { bus, store, projections }) => {
  app.post(
    '/millrace/testing/reset',
    { schema: { tags: ['testing'], summary: 'Delete everything', response: { 204: Type.Null() } } },
    async (_request, reply) => {
      await allApplied(bus)
      await emptyTables(
        store,
        projections.map(({ table }) => table),
      )
      await bus.forgetSeen()
      return reply.code(204).send(null)
    },
  )
}

/** What is still on its way would be there again after the reset. */
async function allApplied({ inspector, partitions }: TestingNeeds['bus']): Promise<void> {
  const until = performance.now() + APPLIED_WITHIN_MS
  for (let partition = 0; partition < partitions; ) {
    const { groups } = await inspector.look(partition, new Map())
    if (groups.every(({ pending, lagEvents }) => pending === 0 && lagEvents === 0)) partition++
    else if (performance.now() > until)
      throw new StoreUnavailable('There are events on their way that nobody applies: see that the services run.')
    else await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
}
