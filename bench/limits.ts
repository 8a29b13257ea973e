/** The limits of the machine that a rate is compared with: the same bytes through each store alone, and a bare route. */
import { once } from 'node:events'
import fastify from 'fastify'
import { Redis } from 'ioredis'
import pg from 'pg'
import { loadSettings } from '#src/config.ts'
import { type EventBatch, parseEventArray } from '#src/events/batch.ts'
import { dayOf, makeDayPartitions } from '#src/store/day-partitions.ts'
import { copyEntries, type LogEntry } from '#src/store/event-log.ts'
import { type BenchEvent, makeEvents, makeRequests } from './events.ts'
import { sendAll } from './http-load.ts'

const PIPELINE = 100
const COPY_EVENTS = 5_000

/** Events a second by pipelined XADD, an entry each, 100 in a pipeline, 4 pipelines under way. */
export async function rawXadd(url: string, events: readonly BenchEvent[]): Promise<number> {
  const redis = new Redis(url)
  const began = performance.now()
  let next = 0
  const worker = async () => {
    for (let from = next; from < events.length; from = next) {
      next += PIPELINE
      const pipeline = redis.pipeline()
      for (const { json } of events.slice(from, from + PIPELINE)) pipeline.xadd('bench:raw', '*', 'data', json)
      await pipeline.exec()
    }
  }
  await Promise.all(Array.from({ length: 4 }, worker))
  const rate = (events.length / (performance.now() - began)) * 1_000
  await redis.unlink('bench:raw')
  redis.disconnect()
  return rate
}

/** Rows a second by COPY of the same rows into the same table, 5,000 in a transaction, on one connection. */
export async function rawCopy(databaseUrl: string, count: number): Promise<number> {
  return writeRate(databaseUrl, makeLogEntries(count, COPY_EVENTS), (client, entry) => copyEntries(client, [entry]))
}

/** Events encoded as the API does, as entries of so many each. */
export function makeLogEntries(count: number, entryEvents: number): LogEntry[] {
  const { settings } = loadSettings({ env: {} })
  const entries: LogEntry[] = []
  for (let from = 0; from < count; from += entryEvents) {
    const events = makeEvents(Math.min(entryEvents, count - from))
    const body = `[${events.map((event) => event.json).join(',')}]`
    const batch: EventBatch = parseEventArray(Buffer.from(body), settings.events, Date.now())
    entries.push({
      partition: 0,
      id: { ms: Date.now(), seq: from },
      received: new Date().toISOString(),
      lengths: batch.events.map(({ record }) => record.length),
      records: Buffer.concat(batch.events.map(({ record }) => record)),
    })
  }
  return entries
}

/** Rows a second by a way of writing entries, each in a transaction of its own, on one connection. */
export async function writeRate(
  databaseUrl: string,
  entries: readonly LogEntry[],
  write: (client: pg.PoolClient, entry: LogEntry) => Promise<unknown>,
): Promise<number> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 })
  await makeDayPartitions(pool, [dayOf(Date.now())])
  const client = await pool.connect()
  const began = performance.now()
  for (const entry of entries) {
    await client.query('begin')
    await write(client, entry)
    await client.query('commit')
  }
  const rows = entries.reduce((sum, { lengths }) => sum + lengths.length, 0)
  const rate = (rows / (performance.now() - began)) * 1_000
  client.release()
  await pool.end()
  return rate
}

/** Events a second into a Fastify route that parses the body and does nothing with it; in this process's own time. */
export async function emptyRoute(count: number, batch: number, connections: number): Promise<number> {
  const app = fastify({ bodyLimit: 8 * 2 ** 20 })
  app.post('/api/events', (_request, reply) => reply.code(204).send())
  await app.listen({ port: 0, host: '127.0.0.1' })
  const address = app.server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const requests = makeRequests(makeEvents(count), batch, '/api/events')
  const began = performance.now()
  await sendAll(requests, { port, connections })
  const rate = (count / (performance.now() - began)) * 1_000
  app.server.close()
  app.server.closeAllConnections()
  await once(app.server, 'close')
  return rate
}
