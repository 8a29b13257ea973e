import { randomUUID } from 'node:crypto'
import type { ApiNeeds } from '#src/api/app.ts'
import type { Api } from '#src/api/route.ts'
import { ready } from '#src/bus/connection.ts'
import { createBus, type Entry, PERSISTER, parseEntry, type RawEntry } from '#src/bus/index.ts'
import { createTail } from '#src/bus/tail.ts'
import { parseEventFrames } from '#src/events/batch.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'
import { insertEntries } from '#src/store/event-log.ts'
import { migrate } from '#src/store/migrate.ts'
import { createStore } from '#src/store/pool.ts'
import { type TestScope, world } from '#test/world.ts'
import { settingsWith, testApi } from '../test-api.ts'

/** An event to send; what is absent is made up. */
export interface Sample {
  readonly event: string
  readonly occurred?: string
  readonly resource?: Record<string, string>
  readonly related?: readonly Record<string, string>[]
  readonly payload?: object
}

/** An API with live events on real servers, whose log is written only when the test says so. */
export interface LiveWorld {
  readonly app: Api
  append(...events: Sample[]): Promise<void>
  /** Writes to the log what is in the streams and not yet there. */
  persist(): Promise<void>
  /** Removes everything from Redis, as if it had been flushed. */
  loseRedis(): Promise<void>
}

const PARTITIONS = 2

export async function liveWorld(
  t: TestScope,
  needs: Partial<ApiNeeds> & { env?: Record<string, string> } = {},
): Promise<LiveWorld> {
  const { redisUrl, databaseUrl, prefix, defer } = await world(t)
  const log = createLog('silent')
  const metrics = createMetrics({ defaults: false })
  const settings = settingsWith(needs.env)
  await migrate(databaseUrl, { timeoutMs: 0 })
  const store = await createStore({ url: databaseUrl, timeoutMs: 10_000, connectTimeoutMs: 5_000, poolSize: 4 })
  defer(() => store.close())
  const bus = await createBus({
    ...settings.ingest,
    ...settings.streams,
    ...settings.redis,
    url: redisUrl,
    prefix,
    partitions: PARTITIONS,
    log,
    metrics,
  })
  defer(() => bus.close())
  const tail = createTail({
    connect: () => bus.connection('tail', 5_000),
    keys: bus.keys,
    partitions: PARTITIONS,
    parseEntry,
    log,
    metrics,
  })
  defer(() => tail.close())
  const app = await testApi({ after: defer }, { live: { tail, store }, metrics, log, ...needs })
  const producer = bus.producer()
  const redis = bus.connection('test')
  await ready(redis, 5_000)
  const reached = Array.from({ length: PARTITIONS }, () => '0-0')

  async function append(...events: Sample[]): Promise<void> {
    const frames = events.map((event) => Buffer.from(JSON.stringify(whole(event))))
    const { events: encoded, verdicts } = parseEventFrames(frames, settings.events, Date.now())
    if (encoded.length !== events.length) throw new Error(JSON.stringify(verdicts))
    await producer.append(encoded)
  }

  async function persist(): Promise<void> {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const raw = await redis.xrangeBuffer(bus.keys.stream(partition), `(${reached[partition]}`, '+')
      const last = raw.at(-1)
      if (last === undefined) continue
      const entries: Entry[] = raw.map((entry) => parseEntry(partition, entry as RawEntry))
      const client = await store.hot.connect()
      await client.query('begin')
      await insertEntries(client, entries)
      const { ms, seq } = (entries.at(-1) as Entry).id
      await client.query(
        `insert into checkpoint ("group", partition, entry_ms, entry_seq) values ($1, $2, $3, $4)
         on conflict ("group", partition) do update set entry_ms = $3, entry_seq = $4`,
        [PERSISTER, partition, ms, seq],
      )
      await client.query('commit')
      client.release()
      reached[partition] = last[0].toString()
    }
  }

  async function loseRedis(): Promise<void> {
    for (let i = 0; i < PARTITIONS; i++) {
      await redis.del(bus.keys.stream(i), bus.keys.state(i), bus.keys.seen(i, 'a'), bus.keys.seen(i, 'b'))
    }
  }

  return { app, append, persist, loseRedis }
}

function whole({ event, occurred, resource, related, payload }: Sample) {
  return {
    id: randomUUID(),
    occurred: occurred ?? new Date().toISOString(),
    event,
    resource: resource ?? { 'prefect.resource.id': event },
    related: related ?? [],
    payload: payload ?? {},
  }
}
