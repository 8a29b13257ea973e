/** A recorder on real servers, for projections that a test defines: their tables, the events it appends, what was made. */
import { randomUUID } from 'node:crypto'
import { type Bus, type BusOptions, createBus, RECORDER } from '#src/bus/index.ts'
import { loadSettings } from '#src/config.ts'
import { createConsumer, type GroupConsumer } from '#src/consumer/group-consumer.ts'
import type { GroupHandler } from '#src/consumer/handler.ts'
import { createOwnership, LEASE_MS } from '#src/consumer/ownership.ts'
import { createPersister } from '#src/consumer/persister.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { createRecorder } from '#src/consumer/recorder.ts'
import { encodeOwn } from '#src/events/encode-own.ts'
import type { Event } from '#src/events/event.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'
import { migrate } from '#src/store/migrate.ts'
import { createStore, type Store } from '#src/store/pool.ts'
import { type TestScope, world } from '../world.ts'

/** An event as a sender writes it, without what the world fills in. */
export interface Sent {
  readonly id?: string
  readonly occurred?: string
  readonly event: string
  readonly resource: string
  readonly labels?: Readonly<Record<string, string>>
  readonly related?: readonly Readonly<Record<string, string>>[]
  readonly payload?: unknown
}

export interface RecorderWorld {
  readonly bus: Bus
  readonly store: Store
  /** Appends events in one call. */
  send(events: readonly Sent[]): Promise<void>
  /** The same with whole events. */
  append(events: readonly Event[]): Promise<void>
  /** A recorder of its own; stopped with the test, or before. */
  record(projections: readonly Projection[], batchEvents?: number): GroupConsumer
  /** A persister, stopped with the test. */
  persist(): GroupConsumer
  /** Resolves when all that was sent is recorded. */
  settled(): Promise<void>
  rows(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>
  defer(end: () => unknown): void
}

/** @param tables SQL that makes the tables of the test's projections */
export async function recorderWorld(
  t: TestScope,
  tables = 'select',
  { partitions = 2, ...options }: Partial<BusOptions> = {},
): Promise<RecorderWorld> {
  const { redisUrl, prefix, databaseUrl, defer } = await world(t)
  await migrate(databaseUrl, { timeoutMs: 0 })
  const { settings } = loadSettings({ env: {} })
  const store = await createStore({ url: databaseUrl, timeoutMs: 10_000, connectTimeoutMs: 5_000, poolSize: 6 })
  defer(() => store.close())
  await store.hot.query(tables)
  const log = createLog('silent')
  const metrics = createMetrics({ defaults: false })
  const { ingest, streams, redis } = settings
  const address = { ...redis, url: redisUrl, prefix }
  const bus = await createBus({ ...ingest, ...streams, ...address, partitions, log, metrics, ...options })
  defer(() => bus.close())
  const producer = bus.producer()
  const commits = bus.watch(RECORDER)
  const entries: { partition: number; id: { ms: number; seq: number } | null }[] = []

  function send(events: readonly Sent[]): Promise<void> {
    const whole = events.map(({ id, occurred, event, resource, labels, related = [], payload = {} }) => ({
      id: id ?? randomUUID(),
      occurred: occurred ?? new Date().toISOString(),
      event,
      resource: { 'prefect.resource.id': resource, ...labels },
      related,
      payload,
      follows: null,
    }))
    return append(whole as Event[])
  }

  async function append(whole: readonly Event[]): Promise<void> {
    const encoded = whole.map((event) => encodeOwn(event, settings.events))
    entries.push(...(await producer.append(encoded)).entries)
  }

  function consume(handler: GroupHandler, batchEvents: number): GroupConsumer {
    const member = randomUUID()
    const { group } = handler
    const consumer = createConsumer({
      handler,
      reader: bus.reader(group),
      ownership: createOwnership(bus.leases(group, member, LEASE_MS), member, bus.layout, log),
      pool: store.hot,
      announce: (made) => bus.announce(group, made),
      log,
      batchEvents,
      lingerMs: 1,
      timeoutMs: 10_000,
    })
    consumer.start()
    defer(() => consumer.stop())
    return consumer
  }

  return {
    bus,
    store,
    send,
    append,
    record: (projections, batchEvents = 1_000) =>
      consume(createRecorder({ db: store.hot, projections, inspector: bus.inspector }), batchEvents),
    persist: () =>
      consume(createPersister({ pool: store.hot, nowMs: Date.now, retentionMs: settings.events.retentionMs }), 1_000),
    async settled() {
      if (!(await commits.wait(entries.splice(0), 20_000))) throw new Error('not all is recorded after 20 s')
    },
    rows: async (text, values) => (await store.hot.query(text, values)).rows,
    defer,
  }
}
