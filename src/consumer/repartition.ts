import type { Pool, PoolClient } from 'pg'
import { type Bus, type Drained, DURABLE_GROUPS, type Partitioning, type Repartitioned } from '#src/bus/index.ts'
import { RepartitionFailed } from '#src/errors.ts'
import { liftCheckpoints, raiseEpochs } from '#src/store/checkpoint.ts'
import { houseLetters } from '#src/store/dead-letter-home.ts'
import { readLayout, rememberLayout } from '#src/store/layout.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { storeError } from '#src/store/unavailable.ts'

/** Changes the number of partitions; see `bus/repartition.ts`. */
export type Repartition = (to: number, withinMs: number) => Promise<Repartitioned>

/** The layout as Postgres keeps it, with all that depends on it there. */
export interface LayoutKeeper {
  /** The change with its part in Postgres: where dead letters belong, the checkpoints, and the number to remember. */
  readonly repartition: Repartition
  /** Remembers what holds in Redis, where that is later than what is remembered. */
  follow(layout: Pick<Partitioning, 'partitions' | 'epoch'>): Promise<void>
}

export function createLayoutKeeper(bus: Bus, pool: Pool, prefix: string, timeoutMs: number): LayoutKeeper {
  async function commit<T>(run: (client: PoolClient) => Promise<T>): Promise<T> {
    return inTransaction(pool, timeoutMs, run).catch((error) => {
      throw storeError(error)
    })
  }

  async function drained(client: PoolClient, { above, counts, partitions, epoch }: Drained): Promise<void> {
    await houseLetters(client, partitions) // before the checkpoints, as a replay does that locks both
    for (const group of DURABLE_GROUPS) {
      const [behind] = await liftCheckpoints(client, group, counts, above)
      if (behind !== undefined)
        throw new RepartitionFailed(
          `Redis says that ${group} has applied more of partition ${behind} than Postgres knows of`,
        )
    }
    if (!(await rememberLayout(client, prefix, { partitions, epoch })))
      throw new RepartitionFailed('it was given up, and another change came after it')
  }

  return {
    async repartition(to, withinMs) {
      const known = await readLayout(pool, prefix).catch((error) => {
        throw storeError(error)
      })
      return bus.repartition({
        to,
        withinMs,
        knownEpoch: known?.epoch ?? 0,
        onDrained: (how) => commit((client) => drained(client, how)),
      })
    },
    follow: ({ partitions, epoch }) =>
      commit(async (client) => {
        const before = await readLayout(client, prefix)
        if (!(await rememberLayout(client, prefix, { partitions, epoch }))) return
        // What was remembered was given up before it held in Redis.
        if (before === null || before.partitions === partitions) return
        await houseLetters(client, partitions)
        await raiseEpochs(client)
      }),
  }
}
