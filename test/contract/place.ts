/** A bus of a test's own on some Redis, with the few words that its tests need. */
import { randomBytes, randomUUID } from 'node:crypto'
import {
  type Bus,
  type BusOptions,
  createBus,
  type Entry,
  PERSISTER,
  type Producer,
  recordsOf,
} from '#src/bus/index.ts'
import type { EncodedEvent } from '#src/events/encode.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'
import type { TestScope } from '../world.ts'

export interface Place {
  readonly bus: Bus
  readonly producer: Producer
  /** Appends events written `partition:text`, each with an id of its own. */
  append(...events: string[]): ReturnType<Producer['append']>
}

/** Closed with `t`; its keys go with the servers. */
export async function placeOn(t: TestScope, url: string, options: Partial<BusOptions> = {}): Promise<Place> {
  const bus = await createBus({
    url,
    prefix: `test_${randomBytes(6).toString('hex')}`,
    partitions: 8,
    durableGroups: [PERSISTER],
    allowEviction: false,
    dedupWindowMs: 60_000,
    dedupMaxIds: 100_000,
    holdBacklogEvents: 1_000_000,
    maxBacklogEvents: 1_000_000,
    holdMs: 0,
    log: createLog('silent'),
    metrics: createMetrics({ defaults: false }),
    ...options,
  })
  t.after(async () => bus.close())
  const producer = bus.producer()
  return { bus, producer, append: (...events) => producer.append(events.map((event) => eventOf(event))) }
}

/** An event whose record is `text`, for the partition of that number. */
export function eventOf(event: string, id: string = randomUUID()): EncodedEvent {
  const [partition = '', text = ''] = event.split(':')
  return { id, keyHash: Number(partition), occurredMs: 0, day: 0, record: Buffer.from(text) }
}

/** The events of entries, as `append` takes them. */
export function textsOf(entries: readonly Entry[]): string[] {
  return entries.flatMap((entry) => [...recordsOf(entry)].map((record) => `${entry.partition}:${record}`))
}
