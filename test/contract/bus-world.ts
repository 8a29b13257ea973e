/** A bus on a Redis of the run, with a key prefix of its own, and the entries that its tests append. */
import { randomUUID } from 'node:crypto'
import { type Client, connect, ready } from '#src/bus/connection.ts'
import { type Bus, type BusOptions, createBus, PERSISTER } from '#src/bus/index.ts'
import type { EncodedEvent } from '#src/events/encode.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'
import { type TestScope, world } from '#test/world.ts'

export const PARTITIONS = 2

export interface BusWorld {
  readonly bus: Bus
  /** A client of the test's own. */
  readonly redis: Client
  readonly redisUrl: string
  readonly prefix: string
  /** Another bus on the same keys, closed with the test. */
  open(options?: Partial<BusOptions>): Promise<Bus>
}

export function busOptions(url: string, prefix: string): BusOptions {
  return {
    url,
    prefix,
    partitions: PARTITIONS,
    allowEviction: false,
    durableGroups: [PERSISTER],
    dedupWindowMs: 60_000,
    dedupMaxIds: 100_000,
    holdBacklogEvents: 20_000,
    maxBacklogEvents: 250_000,
    holdMs: 2_000,
    log: createLog('silent'),
    metrics: createMetrics({ defaults: false }),
    connectWithinMs: 5_000,
  }
}

/** Closed with `t`. */
export async function busWorld(t: TestScope, options: Partial<BusOptions> = {}): Promise<BusWorld> {
  const { redisUrl, prefix, defer } = await world(t)
  const open = async (more: Partial<BusOptions> = {}) => {
    const bus = await createBus({ ...busOptions(redisUrl, prefix), ...more })
    defer(() => bus.close())
    return bus
  }
  const redis = connect({ url: redisUrl }, 'test', createLog('silent'))
  defer(() => redis.disconnect())
  await ready(redis, 5_000)
  return { bus: await open(options), redis, redisUrl, prefix, open }
}

/** An event whose record is its text; `key` chooses the partition. */
export function eventOf(text: string, key = 0, id: string = randomUUID()): EncodedEvent {
  return { id, keyHash: key, occurredMs: Date.now(), day: 0, record: Buffer.from(text) }
}

/** Everything in a partition's stream, as its records' texts, an array for each entry. */
export async function readAll({ bus, redis }: BusWorld, partition = 0): Promise<string[][]> {
  const raw = await redis.xrangeBuffer(bus.keys.stream(partition), '-', '+')
  return raw.map(([, fields]) => {
    const at = (name: string) => fields[fields.findIndex((field, i) => i % 2 === 0 && field.toString() === name) + 1]
    const lengths = at('lengths') as Buffer
    const records = at('records') as Buffer
    const texts: string[] = []
    for (let i = 0, from = 0; i < lengths.length / 4; i++) {
      const to = from + lengths.readUInt32BE(i * 4)
      texts.push(records.toString('utf8', from, to))
      from = to
    }
    return texts
  })
}
