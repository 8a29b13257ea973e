/** A consumer group for tests: it writes each event's number and resource into a table, and refuses what it is told to. */
import { randomUUID } from 'node:crypto'
import type { Pool, PoolClient } from 'pg'
import { type Bus, createBus, type Entry, type Producer, recordsOf } from '#src/bus/index.ts'
import { loadSettings } from '#src/config.ts'
import { createConsumer, type GroupConsumer } from '#src/consumer/group-consumer.ts'
import type { GroupHandler } from '#src/consumer/handler.ts'
import { createOwnership, LEASE_MS } from '#src/consumer/ownership.ts'
import { parseEventArray } from '#src/events/batch.ts'
import { decodeRecord } from '#src/events/record.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'
import { migrate } from '#src/store/migrate.ts'
import { createStore, type Store } from '#src/store/pool.ts'

export const GROUP = 'numbered'

/** What is needed to append, and to run consumers of `GROUP`. */
export interface NumberedWorld {
  readonly bus: Bus
  readonly store: Store
  readonly producer: Producer
  /** Appends one event for each number, in one batch. */
  append(resource: string, numbers: readonly number[]): Promise<void>
  /** Numbers applied, in the order in which they were. */
  applied(resource: string): Promise<number[]>
  close(): Promise<void>
}

export async function openNumberedWorld(
  place: { redisUrl: string; prefix: string; databaseUrl: string },
  partitions = 2,
): Promise<NumberedWorld> {
  await migrate(place.databaseUrl, { timeoutMs: 0 })
  const { settings } = loadSettings({ env: {} })
  const store = await createStore({ url: place.databaseUrl, timeoutMs: 10_000, connectTimeoutMs: 5_000, poolSize: 4 })
  await store.hot.query(
    'create table if not exists numbered (id bigserial primary key, resource text not null, number int4 not null)',
  )
  const bus = await createBus({
    ...settings.ingest,
    ...settings.streams,
    ...settings.redis,
    url: place.redisUrl,
    prefix: place.prefix,
    partitions,
    log: createLog('silent'),
    metrics: createMetrics({ defaults: false }),
  })
  const producer = bus.producer()
  return {
    bus,
    store,
    producer,
    async append(resource, numbers) {
      const occurred = new Date().toISOString()
      const events = numbers.map((number) => ({
        id: randomUUID(),
        occurred,
        event: 'numbered',
        resource: { 'prefect.resource.id': resource },
        payload: { number },
      }))
      const { events: encoded } = parseEventArray(Buffer.from(JSON.stringify(events)), settings.events, Date.now())
      await producer.append(encoded)
    },
    async applied(resource) {
      const { rows } = await store.hot.query<{ number: number }>(
        'select number from numbered where resource = $1 order by id',
        [resource],
      )
      return rows.map(({ number }) => number)
    },
    async close() {
      bus.close()
      await store.close()
    },
  }
}

export interface NumberedHandlerOptions {
  readonly order: 'strict' | 'loose'
  /** Called before each event is written; what it throws is the handler's failure. */
  readonly before: (number: number) => void
}

export function numberedHandler({ order, before }: NumberedHandlerOptions): GroupHandler {
  return {
    group: GROUP,
    order,
    async apply(client: PoolClient, entries: readonly Entry[]) {
      for (const record of entries.flatMap((entry) => [...recordsOf(entry)])) {
        const { resourceId, payload } = decodeRecord(record)
        const { number } = JSON.parse(payload) as { number: number }
        before(number)
        await client.query('insert into numbered (resource, number) values ($1, $2)', [resourceId, number])
      }
      return []
    },
  }
}

/** Started; the caller stops it. */
export function runNumberedConsumer(
  { bus, store }: { bus: Bus; store: { hot: Pool } },
  handler: GroupHandler,
  { timeoutMs = 10_000, lingerMs = 1 } = {},
): GroupConsumer {
  const member = randomUUID()
  const log = createLog('silent')
  const consumer = createConsumer({
    handler,
    reader: bus.reader(GROUP),
    ownership: createOwnership(bus.leases(GROUP, member, LEASE_MS), member, bus.layout, log),
    pool: store.hot,
    announce: (commits) => bus.announce(GROUP, commits),
    log,
    batchEvents: 1_000,
    lingerMs,
    timeoutMs,
  })
  consumer.start()
  return consumer
}
