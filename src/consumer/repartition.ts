import type { Pool } from 'pg'
import { type Bus, DURABLE_GROUPS, type Repartitioned } from '#src/bus/index.ts'
import { liftCheckpoints } from '#src/store/checkpoint.ts'
import { rememberLayout } from '#src/store/layout.ts'

/** Changes the number of partitions; see `bus/repartition.ts`. */
export type Repartition = (to: number, withinMs: number) => Promise<Repartitioned>

/** The change with its part in Postgres: checkpoints above which new entries will be, and the number to remember. */
export function createRepartition(bus: Bus, pool: Pool, prefix: string): Repartition {
  return (to, withinMs) =>
    bus.repartition({
      to,
      withinMs,
      async onDrained(above, partitions, epoch) {
        for (const group of DURABLE_GROUPS) await liftCheckpoints(pool, group, partitions, above)
        await rememberLayout(pool, prefix, { partitions, epoch })
      },
    })
}
